import numpy as np
import pytest

from heatproof.core.records import Direction
from heatproof.report.analysis import ComparisonVerdict, analyse, metric_agreement
from heatproof.report.score_matrix import read_scores
from heatproof.stats import holm, sign_flip_p

from .synthetic_run import write_synthetic_run


def analyses_of(run):
    return analyse(read_scores(run, run.manifest())[0])


@pytest.fixture(scope="module")
def analyses(demo):
    """What all tests read of `demo`, and none changes."""
    return analyses_of(demo)


@pytest.fixture(scope="module")
def curve(analyses):
    return analyses[0]


def test_seeds_of_one_image_are_averaged_before_the_image_counts_once(tmp_path):
    run = write_synthetic_run(tmp_path / "seeds", images=5, size=8, methods=(0, 6, 8), seeds=(0, 1, 2), failures=False)
    matrix = read_scores(run, run.manifest())[0].matrices[0]
    rows = run.query("SELECT image, method_label, value FROM records WHERE metric = 'perturbation_curve'").to_pylist()
    own = [
        row["value"] for row in rows if row["image"] == matrix.images[0].digest and row["method_label"] == matrix.methods[0].label
    ]
    assert matrix.values.shape == (3, 5)
    assert len(own) == 3
    assert matrix.values[0, 0] == pytest.approx(np.mean(own))
    assert matrix.errors[0, 0] == pytest.approx(np.std(own, ddof=1) / np.sqrt(3))
    assert matrix.curves.shape == (3, 5, 31)


def test_one_seed_keeps_the_monte_carlo_error_of_its_record(curve):
    np.testing.assert_allclose(curve.matrix.errors, 0.25)


def test_tests_against_the_best_are_one_holm_family(curve):
    best = next(index for index, row in enumerate(curve.rows) if row.is_best)
    raw = np.array(
        [
            np.nan if i == best else sign_flip_p(row - curve.matrix.values[best], np.random.default_rng(0))
            for i, row in enumerate(curve.matrix.values)
        ]
    )
    ours = [np.nan if row.against_best is None else row.against_best.p for row in curve.rows]
    np.testing.assert_allclose(ours, holm(raw))


def test_a_positive_gain_favours_the_row_whichever_way_the_metric_runs(analyses):
    for analysis in analyses:
        sign = -1 if analysis.matrix.metric.direction == Direction.LOWER else 1
        for row in analysis.rows:
            if row.against_best is not None and row.n == analysis.best.n:
                assert row.against_best.gain == pytest.approx(sign * (row.mean - analysis.best.mean))


def test_controls_do_not_compete_for_the_first_place(analyses):
    for analysis in analyses:
        assert not analysis.best.method.control
        assert all(np.isnan(row.first) for row in analysis.controls)
        assert sum(row.first for row in analysis.methods if np.isfinite(row.first)) == pytest.approx(1)


def test_a_method_that_makes_no_claim_has_no_numbers(analyses):
    completeness = next(item for item in analyses if item.matrix.metric.name == "completeness")
    gradient = next(row for row in completeness.rows if row.method.label == "Gradient")
    assert (gradient.n, gradient.dropped) == (0, 12)
    assert np.isnan([gradient.mean, gradient.first]).all()
    assert gradient.against_best.verdict == ComparisonVerdict.UNKNOWN


def test_few_images_are_not_testable_rather_than_tied(tmp_path):
    curve = analyses_of(write_synthetic_run(tmp_path / "few", images=5, size=8))[0]
    assert not curve.testable
    assert {row.against_best.verdict for row in curve.rows if row.against_best is not None} == {ComparisonVerdict.UNKNOWN}


def test_a_method_with_few_scores_is_not_ranked(tmp_path):
    from heatproof.core.records import Record

    run = write_synthetic_run(tmp_path / "run", images=6, size=8, methods=(0, 2, 6, 8), failures=False)
    rows = run.query("SELECT * FROM records WHERE method_label LIKE 'SmoothTaylor%'").to_pylist()
    first = min(row["image"] for row in rows)
    for row in rows:
        row["value"] = 0.0 if row["image"] == first else float("nan")
    run.write_part(rows[0]["unit"], [Record(**row) for row in rows])
    analysis = analyses_of(run)[0]
    cut = next(row for row in analysis.rows if row.method.label.startswith("SmoothTaylor"))
    assert cut.n == 1
    assert np.isnan(cut.first)
    assert not cut.is_best


def test_curves_have_a_band_at_every_point(curve):
    mean, low, high = curve.bands
    assert mean.shape == (12, 31)
    assert ((low <= mean) & (mean <= high)).all()


def test_metrics_agree_with_themselves(analyses):
    matrix, counts = metric_agreement(analyses)
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert counts[0, 2] == 4


def test_two_settings_of_one_metric_are_two_panels(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=8, methods=(0, 8), failures=False)
    from dataclasses import replace

    from heatproof.core.records import Record

    for unit in run.done():
        records = [Record(**row) for row in run.query(f"SELECT * FROM records WHERE unit = '{unit}'").to_pylist()]
        run.write_part(
            unit, records + [replace(r, metric_settings='{"regions":50}') for r in records if r.metric == "perturbation_curve"]
        )
    manifest = run.manifest()
    twin = manifest.metrics[0].model_copy(update={"label": "AUPC, 50 regions", "settings": {"regions": 50}})
    run.write_manifest(manifest.model_copy(update={"metrics": (*manifest.metrics, twin)}))
    labels = [analysis.matrix.metric.label for analysis in analyses_of(run)]
    assert len(labels) == len(set(labels)) == 5


def test_planned_looks_multiply_every_p_and_widen_every_interval(demo):
    scores = read_scores(demo, demo.manifest())[0]
    for once, often in zip(analyse(scores), analyse(scores, looks=5), strict=True):
        for a, b in zip(once.rows, often.rows, strict=True):
            if a.n >= 2:
                assert b.low <= a.low <= a.mean <= a.high <= b.high
            for left, right in ((a.against_best, b.against_best), (a.against_chance, b.against_chance)):
                if left is not None and left.n >= 2:
                    assert right.p == pytest.approx(min(1.0, 5 * left.p))
                    assert right.high - right.low >= left.high - left.low
                    assert right.needed >= left.needed


@pytest.mark.parametrize("images", [4, 6, 12])
def test_more_images_are_needed_than_those_that_did_not_decide(tmp_path, images):
    for analysis in analyses_of(write_synthetic_run(tmp_path / "run", images=images, size=8)):
        for row in analysis.rows:
            for test in (row.against_best, row.against_chance):
                if test is not None and test.verdict in (ComparisonVerdict.TIE, ComparisonVerdict.UNKNOWN) and test.n:
                    assert np.isnan(test.needed) or test.needed > test.n


def test_so_many_images_are_needed_that_a_unanimous_difference_could_be_significant(tmp_path):
    analysis = analyses_of(write_synthetic_run(tmp_path / "run", images=5, size=8))[0]
    tests = [row.against_best for row in analysis.rows if row.against_best is not None]
    assert all(2 / 2**test.needed * len(tests) < 0.05 for test in tests)
    assert min(test.needed for test in tests) == 9


def with_the_scores_of(run, source, *labels):
    """The run in which some methods have the scores of another one."""
    from heatproof.core.records import Record

    rows = run.records().to_pylist()
    scores = {(row["metric"], row["component"], row["image"]): row["value"] for row in rows if row["method_label"] == source}
    for unit in {row["unit"] for row in rows if row["method_label"] in labels}:
        own = [row for row in rows if row["unit"] == unit]
        run.write_part(unit, [Record(**row | {"value": scores[row["metric"], row["component"], row["image"]]}) for row in own])
    return run


def test_all_methods_with_the_best_mean_are_best(tmp_path):
    from heatproof.report.headline import headline
    from heatproof.report.table_cells import summary_table

    run = write_synthetic_run(tmp_path / "run", size=8, methods=(0, 2, 6, 8))
    with_the_scores_of(run, "SmoothTaylor (σ 0.5)", "Gradient")
    scores = read_scores(run, run.manifest())[0]
    analyses = analyse(scores)
    assert [row.method.label for row in analyses[0].rows if row.equals_best] == ["Gradient", "SmoothTaylor (σ 0.5)"]
    assert sum(row.is_best for row in analyses[0].rows) == 1
    lines = {line.method.label: line.cells[0].mark for line in summary_table(scores, analyses).methods}
    assert lines == {"Gradient": "best", "SmoothTaylor (σ 0.5)": "best", "Integrated gradients (black)": ""}
    lead = headline(scores, analyses, run.manifest()).lead
    assert "Gradient and SmoothTaylor (σ 0.5) have the lowest (best)" in lead
    assert lead.endswith("They are better than the other method.")
