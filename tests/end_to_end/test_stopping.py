"""A run that stops early, as a user starts it."""

import json

import pytest

from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.report.analysis import ComparisonVerdict, analyse
from heatproof.report.headline import headline
from heatproof.report.score_matrix import read_scores
from heatproof.store import Run

from .test_evaluate import call, finish, kill_midway, rows, same

EXPERIMENT = """
name = "early"
batch = 1
kept_maps = 0
precision = "plain"
stop = { against = "chance", looks = 2 }
[dataset]
name = "photos"
count = 9
[[models]]
name = "toy"
architecture = "three_blocks"
side = 64
width = 0.1
[[methods]]
name = "gradient"
[[methods]]
name = "random_map"
[[metrics]]
name = "total_variation_curve"
"""
NETWORK = "toy:three_blocks (random weights)"
SAYS = (
    f"{NETWORK} stopped after 7 of 9 images: all comparisons of methods with the random map are decided, 1 different, "
    "at level 0.025 at each of 2 looks"
)
NULL = {
    "name": "null",
    "batch": 1,
    "kept_maps": 0,
    "precision": "plain",
    "stop": {"against": "chance", "looks": 2},
    "dataset": {"name": "photos", "count": 9},
    "models": [{"name": "toy", "architecture": "three_blocks", "side": 64, "width": 0.1}],
    "methods": [{"name": "smooth_grad", "method": "random_map", "samples": 1}, {"name": "random_map"}],
    "metrics": [{"name": "total_variation_curve"}],
}


@pytest.fixture
def experiment(tmp_path):
    file = tmp_path / "early.toml"
    file.write_text(EXPERIMENT)
    return file


def test_a_clear_difference_stops_the_run_and_a_killed_one_stops_at_the_same_place_with_the_same_rows(experiment, tmp_path):
    code, output = call("evaluate", experiment, "--executor", "serial", "-o", "whole", folder=tmp_path)
    assert code == 0, output
    assert output.count(SAYS) == 2  # when it happens, and in the summary
    assert "14 units computed" in output
    assert "14/14 units" in output
    whole = Run(tmp_path / "whole" / "early")
    assert len(whole.done()) == 14

    run = Run.create(tmp_path / "cut" / "early")
    kill_midway(run, "evaluate", experiment, "--executor", "serial", "-o", "cut", folder=tmp_path)
    code, output = finish("evaluate", experiment, "--executor", "local", "--workers", "2", "-o", "cut", folder=tmp_path)
    assert code == 0, output
    assert output.count(SAYS) == 2
    assert run.done() == whole.done()
    assert same(rows(run), rows(whole))

    stop = run.manifest().stop
    assert stop == whole.manifest().stop
    assert (stop.looks, stop.alpha_a_look) == ((7, 9), 0.025)
    assert [(stopped.model, stopped.images, stopped.of) for stopped in stop.stopped] == [
        ("toy:three_blocks (random weights)", 7, 9)
    ]
    assert len(run.manifest().unit_keys()) == 14

    page = (run.path / "report.html").read_text()
    assert "The run of this model was stopped after 7 of 9 images" in page
    assert "97.5 % interval" in page
    assert "95 % interval" not in page
    assert "not run yet" not in page


def test_the_report_says_of_a_stopped_run_what_the_rule_decided(experiment, tmp_path):
    run_experiment(Experiment.read(experiment), tmp_path / "run", SerialExecutor())
    run = Run(tmp_path / "run")
    manifest = run.manifest()
    scores = read_scores(run, manifest)[0]
    (analysis,) = analyse(scores, manifest.looks)
    assert analysis.n == 7
    assert analysis.best.against_chance.verdict == ComparisonVerdict.BETTER
    assert analysis.best.against_chance.p == pytest.approx(2 * 2 / 2**7)
    assert any("tested up to 2 times" in caveat for caveat in headline(scores, [analysis], manifest).caveats)


def test_maps_that_do_not_differ_are_computed_to_the_last_image(tmp_path):
    heard = []
    summary = run_experiment(Experiment.parse(NULL), tmp_path / "run", SerialExecutor(), heard.append)
    assert summary.stopped == ()
    assert summary.computed == 18
    assert (heard[-1].done, heard[-1].total) == (18, 18)
    assert heard[-1].passes == heard[-1].total_passes
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stop"]["stopped"] == []
