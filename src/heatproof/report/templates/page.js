"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();

  function config() {
    const css = getComputedStyle(document.documentElement);
    const color = name => css.getPropertyValue(name).trim();
    const [ink, faint, rule] = ["--ink", "--faint", "--rule"].map(color);
    return {
      background: null, font: color("--sans"), view: { stroke: null },
      axis: {
        domainColor: rule, tickColor: rule, gridColor: rule, gridOpacity: 0.5, gridWidth: 0.5, labelColor: faint, titleColor: ink,
        titleFontWeight: "normal", titleFontSize: 12, labelFontSize: 11, titlePadding: 8, tickSize: 4,
      },
      point: { fill: color("--page") },
    };
  }

  async function draw(place) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    const narrow = place.clientWidth < 480;
    const text = JSON.stringify(spec).replaceAll("#fefefe", getComputedStyle(document.documentElement).getPropertyValue("--page").trim())
      .replaceAll('"labelLimit":230', narrow ? '"labelLimit":130' : '"labelLimit":230');
    const old = views.get(place);
    const chosen = old ? old.chosen : null;
    if (old) old.result.finalize();
    const result = await vegaEmbed(place, JSON.parse(text), { actions: false, renderer: "svg", ast: true, config: config() });
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", place.dataset.label);
    views.set(place, { result, chosen });
    if (chosen) result.view.signal("chosen", chosen).runAsync();
  }

  const places = [...document.querySelectorAll(".chart[data-spec]")];
  const redraw = () => places.forEach(draw);
  redraw();
  dark.addEventListener("change", redraw);

  for (const keys of document.querySelectorAll(".keys")) {
    const place = document.getElementById(keys.dataset.chart);
    keys.hidden = false;
    keys.addEventListener("click", event => {
      const button = event.target.closest("button");
      const state = views.get(place);
      if (!button || !state) return;
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      state.chosen = [...keys.querySelectorAll("[aria-pressed=true]")].map(item => item.dataset.method);
      state.result.view.signal("chosen", state.chosen).runAsync();
    });
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.querySelectorAll("th[data-column]")];
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
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
})();
