import csv
import json
import re
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heatproof.core.errors import DataError
from heatproof.core.records import Failure
from heatproof.report import build
from heatproof.store import Manifest, Run
from heatproof.store.manifest import UnitsEntry
from heatproof.store.parts import encode_tables
from tests.support.charts import without_png

from .synthetic_run import write_synthetic_run

pytestmark = pytest.mark.one_process
UNIT = UnitsEntry(model="m", method="d", seed=0, keys="u1")


def relabel(run, label, **fields):
    """The run with another label of its first method, and other fields."""
    manifest = run.manifest()
    first = manifest.methods[0].model_copy(update={"label": label})
    run.write_manifest(manifest.model_copy(update={"methods": (first, *manifest.methods[1:]), **fields}))


class Tags(HTMLParser):
    """Start tags of a page outside of scripts, with their attributes, and whether every tag is closed."""

    VOID = frozenset({"meta", "link", "img", "br", "line", "path", "col"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(autouse=True)
def _no_other_page_with_png(page, monkeypatch):
    """The charts of `page` are drawn as every user's; those of other pages are read as SVG only."""
    without_png(monkeypatch)


@pytest.fixture(scope="module")
def tags(page):
    return Tags(page)


def test_the_page_refers_to_nothing_outside_itself(tags):
    references = [
        value
        for _, attributes in tags.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action")
    ]
    assert references
    assert all(value.startswith(("data:", "#")) for value in references)


def test_the_content_policy_forbids_the_network(tags):
    policy = next(a["content"] for a in tags.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_links_lead_somewhere(tags):
    ids = [attributes["id"] for _, attributes in tags.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for a in tags.of("a")} | {a["aria-describedby"] for a in tags.of("table") if "aria-describedby" in a}
    assert wanted <= set(ids)


def test_every_tag_is_closed(tags):
    assert tags.open == []


def test_every_image_has_words_and_every_head_cell_a_scope(tags):
    assert all(image["alt"] for image in tags.of("img"))
    assert all("scope" in head for head in tags.of("th"))
    assert tags.of("html")[0]["lang"] == "en"


def test_every_number_of_a_table_is_explained(page):
    cells = re.findall(r"<td([^>]*)>(.*?)</td>", page, flags=re.S)
    numbers = [
        attributes for attributes, text in cells if re.match(r"[−+]?\d", re.sub(r"<[^>]*>|\s|best:|tied with the best:", "", text))
    ]
    assert len(numbers) > 300
    assert [attributes for attributes in numbers if "title=" not in attributes] == []


def test_every_word_of_a_heading_is_explained_and_abbreviations_are_spelt_out_where_they_are_first_used(page):
    body = page[page.index("<body>") :]
    for short, full in (("AUPC", "area under the perturbation curve"), ("AUTVC", "area under the total-variation curve")):
        text = re.sub("<[^>]*>", "", body[: body.index(short) + 400]).lower()
        assert full in text
    assert not re.search(r">\s*(MC|first|row|rows|units?)\s*<", body)


def test_metrics_with_several_settings_have_different_headings(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=16, methods=(0, 8), failures=False)
    manifest = run.manifest()
    metrics = (manifest.metrics[0], manifest.metrics[1].model_copy(update={"label": "AUPC", "title": manifest.metrics[0].title}))
    run.write_manifest(manifest.model_copy(update={"metrics": metrics}))
    headings = re.findall(r"<h3>(Area.*?)</h3>", build(run.path).read_text())
    assert len(headings) == 4
    assert len(set(headings)) == 2


def test_every_chart_is_also_drawn_for_readers_without_scripts(page):
    assert page.count("<noscript><svg") == page.count('class="chart"') == 4 + 2 + 3 + 1


def test_chart_specifications_are_valid_json_without_nan(page):
    specs = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.S)
    for text in specs:
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in a specification"))


def test_a_page_of_twelve_images_and_methods_stays_below_five_megabytes(tmp_path):
    run = write_synthetic_run(tmp_path / "full", size=224)
    assert build(run.path).stat().st_size < 5_000_000


def test_figures_and_tables_are_written_next_to_the_page(demo, page):
    figures = {file.name for file in (demo.path / "figures").iterdir()}
    for stem in (
        "perturbation_curve-curves",
        "total_variation_curve-curves",
        "perturbation_curve-scores",
        "repeatability-scores",
        "gallery",
    ):
        assert {f"{stem}.png", f"{stem}.svg"} <= figures


def test_the_score_table_has_a_row_per_record_and_the_summary_one_per_method_and_metric(demo, page):
    with (demo.path / "tables" / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == demo.records().num_rows
    with (demo.path / "tables" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 * 4
    constant = next(row for row in rows if row["method_label"] == "Constant map" and row["metric"] == "completeness")
    assert (constant["n"], constant["mean"]) == ("0", "")


def test_failures_and_refusals_are_listed_with_their_reasons(page):
    assert "SmoothTaylor (σ 2.0) on EfficientNet-Lite0" in page
    assert "Set chunk = 1." in page
    assert "truncated.jpg" in page
    assert re.search("1 of 13 <a [^>]*>units of work</a> failed", page)
    assert "1 image was refused." in page


def test_names_are_text_and_never_markup(tmp_path):
    run = write_synthetic_run(tmp_path / "evil", images=3, size=16, methods=(0, 8))
    evil = "<b>bold</b></script><img src=x>'\"{{ 7 * 7 }}<!--"
    manifest, environment = run.manifest(), {"heatproof": evil, "torch": evil, "python": evil, "cpu": evil, "device": evil}
    relabel(
        run,
        evil,
        title="<script>alert(1)</script>",
        budget=evil,
        executor=evil,
        created=evil,
        smoke=True,
        class_names=dict.fromkeys(manifest.class_names, evil),
        environment=manifest.environment.model_copy(update=environment),
        dataset=manifest.dataset.model_copy(update={"label": evil, "settings": {"name": evil}}),
        images=tuple(image._replace(name=evil, label_name=evil) for image in manifest.images),
        metrics=tuple(
            metric.model_copy(update={"title": f"{evil}{metric.title}", "meaning": evil, "cite": evil, "settings": metric.settings})
            for metric in manifest.metrics
        ),
    )
    run.write_failure("evil", Failure(unit="evil", what=evil, reason=evil, traceback=evil))
    run.write_refused("evil", Failure(unit="evil", what=evil, reason=evil))
    for part in run.parts():
        table = pq.read_table(part)
        for column in ("notes", "image_name", "details"):
            place = table.schema.get_field_index(column)
            table = table.set_column(place, column, pa.array([evil] * table.num_rows, pa.string()))
        part.write_bytes(encode_tables([part.stem], [table]))
    page = build(run.path).read_text()
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "<img src=x>" not in page
    assert "<!--" not in page
    assert "{{ 7 * 7 }}" in page  # as text, and not as a template
    Tags(page)


def test_a_csv_cell_is_never_a_formula(tmp_path):
    run = write_synthetic_run(tmp_path / "evil", images=3, size=16, methods=(0, 8))
    relabel(run, "=HYPERLINK()")
    build(run.path)
    assert ",'=HYPERLINK()" in (run.path / "tables" / "summary.csv").read_text()


def test_the_same_run_gives_the_same_page(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=16, methods=(0, 2, 8))
    assert build(run.path).read_text() == build(run.path).read_text()


def test_every_model_has_its_own_section_and_of_many_less_is_shown(tmp_path, monkeypatch):
    run = write_synthetic_run(tmp_path / "two", images=4, size=16, methods=(0, 2, 8), models=("First net", "Second net"))
    page = build(run.path).read_text()
    tags = Tags(page)
    assert {"1-scores", "2-scores", "1-maps", "2-comparisons"} <= {a.get("id") for a in tags.of("section")}
    assert "Scores on First net" in page
    assert "Scores on Second net" in page
    assert "1-images" in page
    monkeypatch.setattr("heatproof.report.page.MANY", 1)
    many = build(run.path).read_text()
    tags = Tags(many)
    assert [a.get("id") for a in tags.of("details") if a.get("class") == "network"] == ["1-network", "2-network"]
    assert "· 2 networks ·" in many
    assert not {"1-images", "2-images"} & {a.get("id") for a in tags.of("section")}
    assert len(many) < len(page)


def test_what_cannot_be_shown_of_any_network_is_said_once(tmp_path):
    run = write_synthetic_run(tmp_path, images=4, size=16, methods=(0, 2, 8), models=("First", "Second"), smoke=True)
    answer = build(run.path).read_text().partition("<nav")[0]
    assert answer.count("This is a smoke run") == 1
    assert answer.index("<h2>Second</h2>") < answer.index("This is a smoke run")


def test_a_run_of_failures_only_still_has_a_page(tmp_path):
    run = Run.create(tmp_path / "failed")
    run.write_manifest(Manifest(name="failed", title="Nothing worked", units=(UNIT,)))
    run.write_failure("u1", Failure(unit="u1", what="Gradient", reason="no memory"))
    page = build(run.path).read_text()
    assert "Nothing was measured, because 1 unit of work failed." in page
    assert "no memory" in page


def test_a_run_still_going_on_says_what_is_missing(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=16, methods=(0, 8), failures=False)
    manifest = run.manifest()
    later = UNIT.model_copy(update={"keys": "later"})
    run.write_manifest(manifest.model_copy(update={"units": (*manifest.units, later)}))
    assert re.search("1 of 3 <a [^>]*>units of work</a> has not run yet", build(run.path).read_text())


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"run\.json"):
        build(tmp_path)
