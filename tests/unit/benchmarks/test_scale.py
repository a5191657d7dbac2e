"""The grid of LATEC's size, and the page about large runs."""

from benchmarks import large_run, latec
from heatproof.evaluation.experiment import Experiment


def test_the_grid_has_the_size_of_latec() -> None:
    experiment = Experiment.parse(latec.content())
    sizes = [len(list(each)) for each in (experiment.model_entries(), experiment.method_entries(), experiment.metric_list())]
    assert sizes == [3, 17, 20]


def test_its_trial_differs_in_numbers_alone() -> None:
    trial = Experiment.parse(latec.smoke())
    assert [each.method.name for each in trial.method_entries()] == [entry["name"] for entry in latec.content()["methods"]]
    assert [metric.name for metric in trial.metric_list()] == [entry["name"] for entry in latec.content()["metrics"]]


def test_the_tables_about_large_runs_are_those_of_the_measurements() -> None:
    assert large_run.page() == large_run.PAGE.read_text(), "run python -m benchmarks.large_run --write"
