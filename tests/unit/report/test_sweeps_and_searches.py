from dataclasses import replace

import numpy as np
import pytest

from heatproof.report.analysis import analyse
from heatproof.report.figures.searches import search_chart
from heatproof.report.figures.sweeps import sweep_chart, sweep_lines
from heatproof.report.score_matrix import read_scores
from heatproof.report.searches import _trace, read_searches
from heatproof.report.table_cells import selection_bias_sentence
from heatproof.store.published import SweepEntry

pytestmark = pytest.mark.one_process


@pytest.fixture(scope="module")
def analysis(demo):
    return analyse(read_scores(demo, demo.manifest())[0])[0]


def settled(analysis, settings):
    """The analysis with these settings for its first methods, a dictionary each."""
    rows = [
        replace(row, method=row.method.model_copy(update={"settings": given}))
        for row, given in zip(analysis.rows, settings, strict=False)
    ]
    return replace(analysis, rows=tuple(rows))


def test_a_line_for_each_value_of_the_other_settings_in_the_order_of_their_numbers(analysis):
    grid = [(2.0, 50), (0.1, 50), (0.1, 10), (0.5, 10), (0.1, 7)]
    settings = [{"name": "smooth_grad", "noise": {"sigma": sigma}, "samples": samples} for sigma, samples in grid]
    sweep = SweepEntry(title="", method="smooth_grad", along="noise.sigma", by=("samples",))
    changed = settled(analysis, [*settings, {**settings[0], "name": "smooth_taylor"}])
    lines = sweep_lines(sweep, changed)
    assert {name: [at for at, _ in points] for name, points in lines.items()} == {
        "samples 10": [0.1, 0.5],
        "samples 50": [0.1, 2.0],
    }
    assert list(lines) == ["samples 10", "samples 50"]
    assert lines["samples 50"][1][1].mean == changed.rows[0].mean
    chart = sweep_chart(sweep, lines, changed, width=300)
    assert chart["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    shown = [point for point in chart["layer"][0]["data"]["values"] if point["line"] == "samples 50"]
    assert shown[1]["low"] < shown[1]["mean"] < shown[1]["high"]


def test_settings_with_a_name_are_called_by_it_and_words_as_they_are(analysis):
    settings = [{"name": "ig", "steps": steps, "baseline": base, "path": {"name": "line"}} for steps in (1, 5) for base in "ab"]
    sweep = SweepEntry(
        title="",
        method="ig",
        along="steps",
        by=(
            "path",
            "baseline",
            "nothing.here",
        ),
    )
    assert list(sweep_lines(sweep, settled(analysis, settings))) == ["line, a, None", "line, b, None"]


def test_the_optimum_of_a_search_is_compared_with_its_fresh_value_image_by_image(demo):
    manifest = demo.manifest()
    (search,) = read_searches(demo, manifest, manifest.models[0])
    assert search.method.label == "SmoothTaylor (σ 0.5)"
    assert len(search.traces) == 12
    assert search.traces[0].sigmas == (0.5, 0.6, 0.4)
    bias = -np.mean([0.5 + 0.1 * index for index in range(12)])
    assert search.selection_bias.difference == pytest.approx(bias)
    assert search.selection_bias.low < bias < search.selection_bias.high < 0
    assert f"{-bias:.2f}" in selection_bias_sentence(search).replace("−", "-")
    assert [len(layer["data"]["values"]) for layer in search_chart(search, width=300)["layer"]] == [36, 36, 12]


def test_a_search_without_numbers_is_left_out():
    whole = {"sigma": 0.5, "objective": 1.0, "objective_fresh": 2.0, "trace_sigma": [0.5, 0.6], "trace_objective": [1.0, None]}
    assert _trace("x.jpg", whole).values == (1.0,)
    assert _trace("x.jpg", {**whole, "trace_objective": [None, None]}) is None
    assert _trace("x.jpg", {key: value for key, value in whole.items() if key != "objective_fresh"}) is None


def test_the_page_and_the_figures_hold_both(demo, page):
    assert "Integrated gradients by passes" in page
    assert "A single point" not in page
    assert "No number" not in page
    assert "a selection bias of" in page
    names = {path.name for path in (demo.path / "figures").iterdir()}
    assert {"perturbation_curve-sweep-1.svg", "search-1.png", "saliency.png"} <= names
