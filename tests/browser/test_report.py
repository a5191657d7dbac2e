"""What a report is in a browser: on a screen, a tablet and a phone, dark, on paper, without scripts and without a network."""

import re

import pytest

pytestmark = pytest.mark.one_process  # one process: one report and one browser

WIDTHS = [1280, 768, 390]
PAPER = {"width": 718, "height": 1000}  # A4 without margins of 10 mm
OVERLAP = """() => [...document.querySelectorAll('.gallery tbody tr')].map(row => {
    const [photo, map] = row.querySelectorAll('img');
    return photo.getBoundingClientRect().right - map.getBoundingClientRect().left;
})"""
WIDE = """() => [...document.querySelectorAll('.scroll')].map(box => {
    const cut = [...box.querySelector('tbody tr:not(.parting)').cells]
        .filter(cell => cell.getBoundingClientRect().right > box.getBoundingClientRect().right + 1).length;
    const hint = box.previousElementSibling;
    return [cut, hint.checkVisibility() ? hint.textContent : ''];
})"""
CUT = """() => [...document.querySelectorAll('table, .chart svg, .gallery img, .keys, pre')]
    .filter(item => item.checkVisibility() && item.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(item => item.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways(show, width):
    assert show(width).evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_asked_of_a_network_and_nothing_fails(show, report):
    page = show(1280)
    assert all(url.startswith(("data:", "blob:")) or url == report.as_uri() for url in page.asked)
    assert page.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_photograph_covers_none_of_its_maps_when_there_are_few(show, width):
    overlaps = show(width).evaluate(OVERLAP)
    assert overlaps
    assert max(overlaps) <= 0


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_that_is_cut_says_how_many_columns_are_out_of_sight(show, width):
    tables = show(width).evaluate(WIDE)
    assert any(cut for cut, _ in tables) or width == 1280
    for cut, hint in tables:
        assert hint == ("" if cut == 0 else f"{cut} more column{'' if cut == 1 else 's'} to the right →")


def test_the_hint_of_a_table_leads_to_its_last_column_and_goes(show):
    page = show(390)
    box = page.locator("#scores .scroll")
    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    page.locator("#scores .more").wait_for(state="hidden")
    box.evaluate("box => { box.scrollLeft = 0; }")
    page.locator("#scores .more").wait_for(state="visible")


def test_a_mark_means_the_same_in_the_table_and_in_the_figure(show):
    page = show(1280)
    style = "(item, name) => getComputedStyle(item)[name]"
    ground = page.locator("body").evaluate(style, "backgroundColor")
    blue = page.locator("td .mark.best").first.evaluate(style, "borderTopColor")
    assert page.locator("td .mark:not(.best)").first.evaluate(style, "backgroundColor") == "rgba(0, 0, 0, 0)"
    for kind, fill in (("best", blue), ("tied with the best", ground)):
        drawn = page.locator(
            f".answer .chart path[aria-label$='kind: {kind}'], .answer .chart path[aria-label*='standing: {kind}']"
        )
        assert drawn.count() >= 1
        assert drawn.first.evaluate(style, "fill") == fill
        assert drawn.first.evaluate(style, "stroke") == blue
    assert page.locator(".answer .chart path[aria-label*='worse than the best']").first.get_attribute(
        "d"
    ) != drawn.first.get_attribute("d")


def test_a_number_is_explained_by_keyboard(show):
    page = show(1280)
    page.locator("#scores td[title]").first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    text = page.locator("#why").inner_text()
    assert re.match(
        r"[\d.]+ is the mean area under the perturbation curve \(AUPC\) of .+ over n = 10 images; the 95 % interval", text
    )
    page.keyboard.press("Escape")
    assert not page.locator("#why").is_visible()
    assert page.locator("#scores td[tabindex='0']").count() == 1


def test_every_point_of_a_chart_is_reached_by_keyboard(show):
    page = show(1280)
    chart = page.locator(".answer .chart")
    assert chart.get_attribute("aria-label").endswith("The arrow keys go through its points.")
    chart.focus()
    seen = []
    for key in ("Home", "ArrowRight", "End"):
        page.keyboard.press(key)
        seen.append(page.locator("#why").inner_text())
        assert chart.locator(".at").count() == 1
    assert "standing: best" in seen[0]
    assert "standing: tied" in seen[1]
    assert "image: " in seen[2]
    page.keyboard.press("Tab")
    assert not page.locator("#why").is_visible()
    assert chart.locator(".at").count() == 0
    curve = page.locator("#curves .chart").first
    curve.focus()
    page.keyboard.press("ArrowRight")
    assert "mean: " in page.locator("#why").inner_text()
    assert curve.locator(".at").evaluate("point => getComputedStyle(point).opacity") == "1"
    page.keyboard.press("Escape")


def test_a_number_and_a_word_are_explained_by_touch_within_the_screen(show):
    page = show(390)
    for place, words in (
        ("#scores td[title]", "is the mean"),
        (".answer a.word", "score"),
        ("#comparisons thead a.word[href='#word-wins']", "share of images"),
        (".gallery td[title]", "99.5th percentile"),
    ):
        page.locator(place).first.scroll_into_view_if_needed()
        page.wait_for_timeout(60)  # scrolling closes an explanation
        page.locator(place).first.tap()
        why = page.locator("#why")
        assert words in why.inner_text()
        box = why.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert 0 <= box["y"] <= 844 - box["height"]
        page.keyboard.press("Escape")


def test_a_table_is_sorted_by_the_button_in_its_head(show):
    page = show(1280)
    column = "#scores tbody:first-of-type td:nth-child(2)"
    page.get_by_role("button", name="Sort by AUPC").first.click()
    up = [float(text) for text in page.locator(f"{column} .value").all_inner_texts()]
    page.get_by_role("button", name="Sort by AUPC").first.click()
    down = [float(text) for text in page.locator(f"{column} .value").all_inner_texts()]
    assert up == sorted(up) == down[::-1]


@pytest.mark.parametrize("dark", [False, True])
def test_paper_has_every_column_the_legends_and_the_filled_marks(show, dark):
    page = show(1280, dark)
    page.emulate_media(media="print", color_scheme="dark" if dark else "light")
    page.set_viewport_size(PAPER)
    try:
        assert page.evaluate(CUT) == []
        assert page.locator(".keys").first.is_visible()
        mark = page.locator("td .mark.best").first.evaluate(
            "item => [item.offsetWidth, 2 * parseFloat(getComputedStyle(item).borderTopWidth)]"
        )
        assert 0 < mark[0] <= mark[1] + 1  # a border, since browsers print no backgrounds
        ink = page.locator(".answer .chart text").first.evaluate("item => getComputedStyle(item).fill")
        assert max(map(int, re.findall(r"\d+", ink))) < 100
    finally:
        page.set_viewport_size({"width": 1280, "height": 844})
        page.emulate_media(media="screen", color_scheme="dark" if dark else "light")


def test_without_scripts_there_are_drawings_and_words(show):
    page = show(390, scripts=False)
    assert page.locator("noscript svg").first.is_visible()
    assert page.locator(".answer a.word").first.get_attribute("href").startswith("#word-")
    assert not page.locator(".scripted").is_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_serious(show, axe, width, dark):
    page = show(width, dark)
    page.evaluate(axe)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [
        f"{item['id']}: {item['help']}: {[node['html'][:120] for node in item['nodes'][:3]]}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []
