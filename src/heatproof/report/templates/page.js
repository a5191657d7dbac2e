"use strict";
(() => {
  document.documentElement.classList.add("js");
  const config = JSON.parse(document.getElementById("chart-config").textContent);

  // Charts. Their colours are variables of the page, so that they follow a dark page and a print.
  const views = new Map();
  async function draw(place) {
    const narrow = place.clientWidth < 480;
    const text = document.getElementById(place.dataset.spec).textContent
      .replaceAll("#fefefe", "var(--page)").replaceAll(/"labelLimit": ?230/g, `"labelLimit":${narrow ? 130 : 230}`);
    const result = await vegaEmbed(place, JSON.parse(text), { actions: false, renderer: "svg", ast: true, config });
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.setAttribute("aria-roledescription", "chart");
    place.setAttribute("aria-label", `${place.dataset.label} The arrow keys go through its points.`);
    views.set(place, result.view);
  }
  for (const place of document.querySelectorAll(".chart[data-spec]")) {
    const folded = place.closest("details:not([open])"); // it has no width until it is opened
    if (folded) folded.addEventListener("toggle", () => draw(place), { once: true });
    else draw(place);
  }

  for (const keys of document.querySelectorAll(".keys")) {
    keys.hidden = false;
    keys.addEventListener("click", event => {
      const button = event.target.closest("button");
      const view = views.get(document.getElementById(keys.dataset.chart));
      if (!button || !view) return;
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      view.signal("chosen", [...keys.querySelectorAll("[aria-pressed=true]")].map(item => item.dataset.method)).runAsync();
    });
  }

  // Tables: sorting by a column.
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.querySelectorAll("th[data-column]")];
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Sort by ${head.textContent.trim().replace(/\s+/g, " ")}`);
      (head.querySelector(".full") ?? null) ? head.querySelector(".full").before(button) : head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        for (const body of table.tBodies) sort(body, Number(head.dataset.column), up);
      });
    }
  }

  function sort(body, column, up) {
    const rows = [...body.rows].filter(row => !row.classList.contains("parting"));
    const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const number = text => (text === "" ? NaN : Number(text));
    rows.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (column === 0) return (up ? 1 : -1) * a.localeCompare(b);
      const [x, y] = [number(a), number(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return up ? x - y : y - x;
    });
    body.append(...rows);
  }

  // Tables that are wider than the page: how many columns are out of sight.
  for (const box of document.querySelectorAll(".scroll")) {
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.hidden = true;
    box.before(more);
    more.addEventListener("click", () => box.scrollBy({ left: box.clientWidth * 0.7, behavior: "smooth" }));
    const update = () => {
      const edge = box.getBoundingClientRect().right;
      const row = box.querySelector("tbody tr:not(.parting)");
      const cut = row ? [...row.cells].filter(item => item.getBoundingClientRect().right > edge + 1).length : 0;
      more.hidden = cut === 0;
      more.textContent = `${cut} more column${cut === 1 ? "" : "s"} to the right →`;
    };
    box.addEventListener("scroll", update, { passive: true });
    new ResizeObserver(update).observe(box);
  }

  // What a number or a word means: a box beside it, by pointer, touch or keyboard.
  const why = document.getElementById("why");
  function explain(anchor, name, text) {
    const heading = document.createElement("strong");
    heading.textContent = name;
    why.replaceChildren(...(name ? [heading] : []), text);
    why.showPopover();
    const at = anchor.getBoundingClientRect();
    const { width, height } = why.getBoundingClientRect();
    why.style.left = `${Math.max(16, Math.min(at.left, document.documentElement.clientWidth - width - 16))}px`;
    why.style.top = `${at.bottom + 6 + height < innerHeight ? at.bottom + 6 : Math.max(8, at.top - height - 6)}px`;
  }
  if (!why.showPopover) return;

  document.addEventListener("click", event => {
    const link = event.target.closest("a.word");
    if (!link) return;
    event.preventDefault();
    const entry = document.getElementById(link.hash.slice(1));
    explain(link, entry.textContent, entry.nextElementSibling.textContent);
  });
  addEventListener("scroll", () => why.matches(":popover-open") && why.hidePopover(), { passive: true });

  // Charts: the arrow keys go through their points, first the means and then the images.
  for (const place of document.querySelectorAll(".chart[data-spec]")) {
    let at = -1;
    const leave = () => place.querySelectorAll(".at").forEach(point => point.classList.remove("at"));
    place.addEventListener("blur", () => {
      leave();
      why.hidePopover();
    });
    place.addEventListener("keydown", event => {
      const all = [...place.querySelectorAll("path[aria-label]")].filter(point => !point.closest(".role-legend, .role-axis"));
      const points = ["point", "circle", "tick"].flatMap(kind => all.filter(point => point.getAttribute("aria-roledescription") === kind));
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
      if (!step || !points.length) return;
      event.preventDefault();
      at = Math.max(0, Math.min(points.length - 1, at + step));
      leave();
      points[at].classList.add("at");
      explain(points[at], "", points[at].getAttribute("aria-label").replaceAll("; ", "\n"));
    });
  }

  for (const table of document.querySelectorAll("table")) {
    const cells = [...table.querySelectorAll("td[title]")];
    if (!cells.length) continue;
    for (const item of cells) item.tabIndex = -1;
    let current = cells[0];
    current.tabIndex = 0;
    const select = item => {
      current.tabIndex = -1;
      current = item;
      current.tabIndex = 0;
      current.focus();
    };
    table.addEventListener("click", event => {
      const item = event.target.closest("td[title]");
      if (!item || event.target.closest("a, button")) return;
      select(item);
      explain(item, "", item.title);
    });
    table.addEventListener("keydown", event => {
      if (event.target !== current) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        explain(current, "", current.title);
        return;
      }
      const next = neighbour(table, current, event.key);
      if (!next) return;
      event.preventDefault();
      select(next);
    });
  }

  // The next explained number in the direction of an arrow key.
  function neighbour(table, item, key) {
    const rows = [...table.rows];
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[key] ?? [0, 0];
    if (!down && !right) return null;
    let [row, column] = [rows.indexOf(item.parentElement) + down, item.cellIndex + right];
    while (rows[row] && column >= 0 && column < item.parentElement.cells.length) {
      const found = rows[row].cells[column];
      if (found?.matches("td[title]")) return found;
      row += down;
      column += right;
    }
    return null;
  }
})();
