from dataclasses import replace

import pytest

from heatproof.data.base import Item
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan, total_passes

ITEMS = [Item(name=f"{i}.png", digest=f"{i:032x}") for i in range(5)]
BASE = {
    "name": "trial",
    "dataset": {"name": "photos"},
    "models": [{"name": "efficientnet_lite0"}],
    "methods": [{"name": "gradient"}, {"name": "smooth_grad", "samples": 3}],
    "metrics": [{"name": "perturbation_curve", "draws": 2, "regions": 4}, {"name": "repeatability"}],
    "seeds": [0, 1],
    "batch": 2,
}


SHAPE = (3, 224, 224)


def network(digest="w", **settings):
    return Network(digest, {"name": "plan", **settings}, SHAPE)


def keys(of=None, **changes):
    return [unit.key for unit in plan(Experiment.parse({**BASE, **changes}), ITEMS, [of or network()])]


def test_units_are_the_product_of_models_methods_seeds_and_batches():
    units = plan(Experiment.parse(BASE), ITEMS, [network()])
    assert len(units) == len({unit.key for unit in units}) == 2 * 2 * 3
    assert sorted(len(unit.items) for unit in units) == [1] * 4 + [2] * 8


def test_the_records_of_a_training_name_it():
    recipe = {"name": "trained", "label": "mine", "architecture": {"name": "toy"}}
    networks = [replace(network(f"w{nth}"), name=f"mine, training {nth}") for nth in (1, 2)]
    units = plan(Experiment.parse({**BASE, "models": [recipe], "trainings": 2}), ITEMS, networks)
    assert {(unit.model_digest, unit.model_label) for unit in units} == {("w1", "mine, training 1"), ("w2", "mine, training 2")}


def test_the_same_experiment_has_the_same_keys():
    assert keys() == keys()


@pytest.mark.parametrize("changes", [{"title": "another"}, {"smoke": True}], ids=str)
def test_what_decides_no_number_changes_no_key(changes):
    assert keys(**changes) == keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"of": network("other weights")},
        {"of": network(fold=True)},
        {"seeds": [2, 3]},
        {"target": "label"},
        {"models": [{"name": "efficientnet_lite0", "output": "probability"}]},
        {"metrics": [{"name": "repeatability"}]},
        {"kept_maps": 0},
    ],
    ids=str,
)
def test_what_decides_numbers_changes_every_key(changes):
    assert not set(keys(**changes)) & set(keys())


def test_a_label_of_a_model_is_recorded_so_that_it_changes_every_key():
    labelled = {**BASE, "models": [{**BASE["models"][0], "label": "mine"}]}
    assert not {*keys(**labelled)} & {*keys()}
    assert {unit.model_label for unit in plan(Experiment.parse(labelled), ITEMS, [network()])} == {"mine"}


def test_another_mask_changes_the_keys_of_its_batch():
    changed = [replace(ITEMS[0], region="mask", region_digest="drawn anew"), *ITEMS[1:]]
    ours = [unit.key for unit in plan(Experiment.parse(BASE), changed, [network()])]
    assert [a == b for a, b in zip(ours, keys(), strict=True)] == [False] * 4 + [True] * 8


def test_a_changed_method_leaves_the_other_methods_alone():
    changed = keys(methods=[{"name": "gradient"}, {"name": "smooth_grad", "samples": 4}])
    assert len(set(changed) & set(keys())) == 6


def test_expected_work_counts_repeated_maps_only_for_methods_that_draw():
    units = plan(Experiment.parse({**BASE, "batch": 5, "seeds": [0]}), ITEMS, [network()])
    curve, gradient, smooth_grad = 1 + 4 * 2, 1 + 2, 3 * (1 + 2)
    assert [unit.passes for unit in units] == [5 * (1 + gradient + curve), 5 * (smooth_grad + curve + smooth_grad)]
    assert total_passes(units) == sum(unit.passes for unit in units)


def test_expected_work_is_that_of_the_networks_image_size():
    scaled = Experiment.parse({**BASE, "batch": 5, "metrics": [{"name": "perturbation_curve", "draws": 2, "scaled": True}]})
    regions = {224: 30, 112: 26}  # 15 and 8 pixels a side
    for side, count in regions.items():
        units = plan(scaled, ITEMS, [replace(network(), image_shape=(3, side, side))])
        assert units[0].passes == 5 * (1 + (1 + 2) + 1 + 2 * count)


def test_one_clean_forward_of_a_batch_is_expected_for_all_seeds_and_methods():
    units = plan(Experiment.parse({**BASE, "batch": 5}), ITEMS, [network()])
    assert units[0].passes - units[2].passes == 5
    assert units[1].passes == units[3].passes


def test_what_metrics_have_in_common_is_expected_once_a_batch_and_seed():
    change = {"name": "top_k", "steps": 10}
    under = [
        {"name": "similarity_under_change", "change": change, "levels": [0.1, 0.2], "similarity": s} for s in ("top", "cosine")
    ]
    labelled = [{"label": metric["similarity"], **metric} for metric in under]
    first, second = (plan(Experiment.parse({**BASE, "metrics": metrics}), ITEMS, [network()]) for metrics in (under[:1], labelled))
    attack = 2 + 2 * 10 * 3 + 2 * (1 + 2 * 10 * 4)
    for units in (first, second):
        assert units[0].passes - units[2].passes == 2  # the clean images, for both seeds
        further = (1 + 2) * (1 + 2) + 2 * len({metric["similarity"] for metric in units[0].metrics})
        assert units[2].passes == 2 * (attack + further)


def test_the_order_of_metrics_changes_no_expected_work():
    metrics = BASE["metrics"]
    forward, backward = (
        total_passes(plan(Experiment.parse({**BASE, "metrics": order}), ITEMS, [network()])) for order in (metrics, metrics[::-1])
    )
    assert forward == backward


def test_trainings_are_expected_once_a_method_and_what_they_share_once():
    recipe = {"name": "trained", "dataset": {"name": "planted_patches", "n": 20}, "training": {"epochs": 4}}
    roar = {"name": "roar", "network": recipe, "shares": [0.1, 0.5], "retrainings": 3}
    units = plan(Experiment.parse({**BASE, "seeds": [0], "metrics": [roar, {**roar, "keep": True}]}), ITEMS, [network()])
    training = 3 * 4 * 20 + 20  # a backward pass counts as two, and at the end there is the accuracy
    maps = 20 + 8  # the first 8 tell whether the network was trained before
    for method, (unit, later, cost) in enumerate(zip(units, units[2:], (3, 9), strict=False)):
        common = 3 * training if method == 0 else 0
        assert unit.passes == later.passes + 2 * 2 * 3 * training + maps * (1 + cost) + common
