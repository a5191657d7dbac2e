"""What a report costs grows with the records no faster than they do, and what it shows does not grow at all."""

import re

import numpy as np
import pyarrow as pa
import pytest

from heatproof.core.records import Direction
from heatproof.report import build
from heatproof.report.associations import MeasuredAssociation
from heatproof.report.figures.associations import MOST_DOTS, association_chart, dots_drawn
from heatproof.report.figures.scores import MOST_TICKS
from heatproof.report.figures.thinning import evenly
from heatproof.report.tables import write_scores
from heatproof.store import Manifest, Run, queries
from heatproof.store import parts as part_files
from heatproof.store.manifest import Environment, ImageEntry, MethodEntry, MetricEntry, ModelEntry, UnitsEntry
from tests.support.charts import without_png

METHODS, METRICS, BATCH = 4, 2, 50


def column(kind, n):
    return {pa.string(): [""] * n, pa.int64(): [0] * n, pa.float64(): [0.5] * n}.get(kind, [[]] * n)


def metric(number):
    settings = {"name": "made_up", "number": number}
    return MetricEntry(
        name="made_up", label=f"Made-up {number}", title=f"Made-up score {number}", direction=Direction.HIGHER, bounds=(None, None),
        settings=settings, cite="", primary=number == 0, meaning="A number.", components={"": "value"},
    )  # fmt: skip


def write_run(path, images):
    """A run of METHODS × METRICS records for each image, made column by column."""
    run, schema, rng, units = Run.create(path), part_files.arrow_schema(), np.random.default_rng(0), []
    metrics = tuple(map(metric, range(METRICS)))
    for method in range(METHODS):
        for start in range(0, images, BATCH):
            unit, n = f"u{method}-{start:05}", BATCH * METRICS
            digests = [f"i{index:05}" for index in range(start, start + BATCH)] * METRICS
            given = {
                "unit": [unit] * n,
                "model": ["m"] * n,
                "method": [f"d{method}"] * n,
                "method_label": [f"Method {method}"] * n,
                "metric": ["made_up"] * n,
                "metric_settings": [each.settings_key for each in metrics for _ in range(BATCH)],
                "image": digests,
                "image_name": digests,
                "direction": ["higher"] * n,
                "value": rng.normal(method / METHODS, 1.0, n),
            }
            columns = {name: given.get(name, column(schema.field(name).type, n)) for name in schema.names}
            run.part_path(unit).parent.mkdir(parents=True, exist_ok=True)
            run.part_path(unit).write_bytes(part_files.encode_tables([unit], [pa.table(columns, schema=schema)]))
            units.append((unit, "m", f"d{method}", 0))
    run.write_manifest(
        Manifest(
            name="grown", created="2026-01-02T03:04:05Z", environment=Environment(heatproof="0", torch="0", python="3"), seeds=(0,),
            models=(ModelEntry(name="m", digest="m", output="logit", settings={"name": "m"}),),
            methods=tuple(MethodEntry(key=f"d{k}", name="m", label=f"Method {k}", settings={"k": k}) for k in range(METHODS)),
            images=tuple(ImageEntry(digest=f"i{k:05}", name=f"i{k:05}") for k in range(images)),
            metrics=metrics, units=UnitsEntry.of(units),
        )
    )  # fmt: skip
    return run


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """For four and eight thousand records: the run, the statements about them, and the parts that were read for their checksum."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        without_png(patch)
        patch.setattr("heatproof.report.analysis.sensible_draws", lambda n: 200)
        query, inspect = queries.query, part_files.inspect
        for images in (500, 1000):
            asked, read = [], []
            patch.setattr(queries, "query", lambda *given, asked=asked: asked.append(given[1]) or query(*given))
            patch.setattr(part_files, "inspect", lambda part, read=read: read.append(part) or inspect(part))
            run = write_run(tmp_path_factory.mktemp("runs") / f"of-{images}", images)
            build(run.path)
            found.append((run, asked, read))
    return found


def test_twice_the_records_take_the_same_statements_and_each_part_is_verified_once(grown):
    (few, asked, read), (many, asked_of_many, read_of_many) = grown
    assert asked == asked_of_many
    assert len(asked) <= 9
    assert sorted(read) == few.parts()
    assert sorted(read_of_many) == many.parts()


def test_twice_the_records_make_a_page_and_figures_of_the_same_size(grown):
    for pattern in ("report.html", "figures/*.svg", "tables/summary.csv"):
        few, many = (sum(len(file.read_bytes()) for file in run.path.glob(pattern)) for run, *_ in grown)
        assert few / 1.03 < many < few * 1.03, pattern
    few, many = ((run.path / "tables" / "scores.csv").read_text().count("\n") for run, *_ in grown)
    assert (few, many) == (METHODS * METRICS * 500 + 1, METHODS * METRICS * 1000 + 1)


def test_the_ticks_of_many_images_are_few_span_their_scores_and_the_page_says_so(grown):
    run, *_ = grown[1]
    svg = next(run.path.glob("figures/*-1-scores.svg")).read_text()
    ticks = re.findall(r'; method: Method 0; image: (\w+); value: (\S+?)"', svg)
    assert len(ticks) == MOST_TICKS == len(set(ticks))
    values = run.query("SELECT value FROM records WHERE method = 'd0' AND metric_settings LIKE '%0}'")["value"].to_numpy()
    shown = np.sort([float(value.replace("\u2212", "-")) for _, value in ticks])
    np.testing.assert_allclose(shown, np.sort(values)[evenly(1000, MOST_TICKS)], rtol=1e-3, atol=1e-3)
    page = (run.path / "report.html").read_text()
    assert f"The chart shows {MOST_TICKS} of 1,000 images for each method, at evenly spaced ranks" in page


def test_the_dots_of_many_images_are_few():
    values = np.full((3000, 2), 0.5)
    association = MeasuredAssociation("a", "x", "y", "level", (1.0, 2.0), {"Gradient": (values, values)}, {})
    assert len(association_chart(association, "Gradient", width=260)["layer"][1]["data"]["values"]) == MOST_DOTS
    assert dots_drawn(association, "Gradient").startswith("The chart shows 1,000 of 3,000 images")


def test_scores_are_sorted_on_disk_as_in_memory_and_a_second_time_too(tmp_path, monkeypatch):
    schema, n = part_files.arrow_schema(), 30_000
    given = {"unit": ["u1"] * n, "image": [f"{index:032}" for index in np.random.default_rng(0).permutation(n)]}
    table = pa.table({name: given.get(name, column(schema.field(name).type, n)) for name in schema.names}, schema=schema)
    run = Run.create(tmp_path)
    run.part_path("u1").parent.mkdir()
    run.part_path("u1").write_bytes(part_files.encode_tables(["u1"], [table]))
    write_scores(run)
    file = run.path / "tables" / "scores.csv"
    at_once = file.read_bytes()
    assert at_once.count(b"\n") == n + 1
    monkeypatch.setattr(queries, "SORTED_AT_ONCE", 0)
    for megabytes in (20, 1, 1):  # in one, nothing can be sorted: it is tried in twice as much, and so on
        monkeypatch.setattr(queries, "SORTED_IN", megabytes)
        write_scores(run)
        assert file.read_bytes() == at_once
        assert [each.name for each in file.parent.iterdir()] == ["scores.csv"]
