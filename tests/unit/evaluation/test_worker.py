import pytest
import torch

from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.networks import load_networks
from heatproof.evaluation.plan import plan
from heatproof.evaluation.worker import _Explainer, compute_unit
from heatproof.methods import DeepTaylor
from heatproof.metrics import SimilarityUnderChange, score
from heatproof.passes.counting import count_passes
from heatproof.store import Run
from tests.support import zoo
from tests.support.packaged import small_photographs

EXPERIMENT = {
    "name": "trial",
    "dataset": {"name": "photos", "count": 3},
    "models": [{"name": "efficientnet_lite0"}],
    "methods": [
        {"name": "random_map"},
        {"name": "smooth_taylor", "samples": 2},
        {"name": "integrated_gradients", "quadrature": {"steps": 2}},
    ],
    "metrics": [
        {"name": "perturbation_curve", "draws": 2, "regions": 2},
        {"name": "completeness", "baseline": "white"},
        {"name": "repeatability"},
        {"name": "similarity_to", "reference": "SmoothTaylor (samples 2)"},
        {"name": "similarity_to", "reference": "SmoothTaylor (samples 2)", "similarity": "kendall", "label": "order"},
        {"name": "similarity_to", "reference": "gradient"},
    ],
    "seeds": [0, 1],
    "batch": 2,
    "precision": "plain",
}


def test_the_rows_expected_of_every_unit_are_those_that_pass_and_its_records_hold_all_but_the_shared_clean_forward(
    tmp_path, monkeypatch
):
    small_photographs(monkeypatch, side=64)
    experiment = Experiment.parse(EXPERIMENT)
    dataset = experiment.data()
    networks = load_networks(experiment, dataset, dataset.items(), {})
    units = plan(experiment, dataset.items(), [network for _, network in networks])
    seen = []
    for unit in units:
        with count_passes() as passes:
            compute_unit(tmp_path, unit)
        seen.append(passes.forward + 2 * passes.backward)
    assert seen == [unit.passes for unit in units]

    references = (1 + 2) + 2 * 2 * (1 + 2)  # the gradient once, and two samples of SmoothTaylor for each seed
    recorded = """
        SELECT sum(rows)::INT AS rows FROM (
            SELECT any_value(forward_rows + 2 * backward_rows) AS rows FROM records WHERE component = '' GROUP BY unit, image
            UNION ALL
            SELECT metric_forward_rows + 2 * metric_backward_rows FROM records WHERE component = ''
        )"""
    assert Run(tmp_path).query(recorded).to_pylist() == [{"rows": sum(seen) - (1 + references) * len(dataset.items())}]


@pytest.mark.parametrize("incremental", [True, False])
def test_an_experiment_says_whether_rows_may_be_computed_in_part_and_records_say_how_much_was(tmp_path, incremental):
    curve = {"name": "perturbation_curve", "draws": 20, "regions": 2}
    few = {"methods": [{"name": "random_map"}], "metrics": [curve], "seeds": [0], "dataset": {"name": "photos", "count": 1}}
    experiment = Experiment.parse({**EXPERIMENT, **few, "incremental": incremental})
    dataset = experiment.data()
    networks = load_networks(experiment, dataset, dataset.items(), {})
    (unit,), (other,) = (
        plan(experiment.model_copy(update={"incremental": each}), dataset.items(), [network for _, network in networks])
        for each in (incremental, not incremental)
    )
    assert unit.key != other.key
    compute_unit(tmp_path, unit)
    (row,) = Run(tmp_path).query("SELECT metric_forward_rows AS passes, metric_equivalent_rows AS work FROM records").to_pylist()
    assert row["passes"] == 41
    assert (20 < row["work"] < 33) if incremental else row["work"] == 41


def test_a_run_explains_images_that_a_metric_changed_beyond_the_bounds():
    model, images, metric = zoo.model(zoo.residual()), zoo.images(2), SimilarityUnderChange(levels=(2.0,))
    explain = _Explainer(DeepTaylor(), model)
    target = explain.clean(images, torch.tensor([0, 1]), 0).target
    found = metric.score(model, images, target, explain)
    assert torch.equal(found.values, score(metric, model, images, DeepTaylor(), target=target).values)
