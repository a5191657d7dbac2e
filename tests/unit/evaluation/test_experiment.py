import pytest

from heatproof.core.errors import SettingsError, UsageError
from heatproof.evaluation.experiment import Experiment

BASE = {
    "name": "trial",
    "dataset": {"name": "photos", "count": 2},
    "models": [{"name": "efficientnet_lite0"}],
    "methods": [{"name": "gradient"}],
    "metrics": [{"name": "total_variation_curve"}],
}


def experiment(**changes):
    return Experiment.parse({**BASE, **changes})


def labels(*methods):
    return [entry.label for entry in experiment(methods=list(methods)).method_entries()]


def test_a_grid_is_unrolled_into_every_combination():
    entries = list(
        experiment(
            methods=[{"name": "smooth_taylor", "grid": {"samples": [5, 10], "noise.sigma": [0.1, 0.3, 0.5]}}]
        ).method_entries()
    )
    settings = {(entry.method.samples, entry.method.noise.sigma) for entry in entries}
    assert settings == {(r, s) for r in (5, 10) for s in (0.1, 0.3, 0.5)}
    assert len({entry.label for entry in entries}) == 6


def test_a_dotted_grid_key_changes_the_default_of_a_nested_setting():
    entries = list(experiment(methods=[{"name": "integrated_gradients", "grid": {"quadrature.steps": [3, 7]}}]).method_entries())
    assert [entry.method.quadrature.name for entry in entries] == ["gauss_legendre"] * 2
    assert [entry.method.quadrature.steps for entry in entries] == [3, 7]


def test_a_dotted_grid_key_keeps_what_the_table_says():
    methods = [{"name": "integrated_gradients", "quadrature": "midpoint", "grid": {"quadrature.steps": [3, 7]}}]
    assert [entry.method.quadrature.name for entry in experiment(methods=methods).method_entries()] == ["midpoint"] * 2


def test_a_label_names_what_differs_from_the_defaults():
    assert labels({"name": "input_x_gradient"}) == ["Input × gradient"]
    assert labels({"name": "integrated_gradients", "baseline": "white"}) == ["Integrated gradients (baseline white)"]
    assert labels({"name": "gradient", "label": "Plain"}) == ["Plain"]


def test_a_model_takes_a_label_by_which_two_of_one_kind_are_told_apart():
    toy = {"name": "toy", "architecture": "cnn", "width": 0.1}
    entries = list(experiment(models=[{**toy, "label": "first"}, {**toy, "seed": 1, "label": "second"}, toy]).model_entries())
    assert [entry.label for entry in entries] == ["first", "second", ""]
    assert "label" not in entries[0].loader.to_dict()
    with pytest.raises(SettingsError, match="label: expected text, got 3"):
        experiment(models=[{**toy, "label": 3}])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"methods": [{"name": "gradeint"}]}, "gradient"),
        ({"metrics": [{"name": "perturbation_curve", "drawz": 4}]}, "drawz"),
        ({"dataset": {"name": "photo"}}, "photos"),
        ({"models": []}, "models"),
        ({"metods": []}, "metods"),
        ({"name": "../escape"}, "name"),
        ({"methods": [{"name": "gradient"}, {"name": "gradient"}]}, "twice"),
        ({"methods": [{"name": "smooth_grad", "grid": {"samples": 5}}]}, "grid"),
        ({"target": "whatever"}, "target"),
    ],
)
def test_an_impossible_entry_is_refused_by_name_before_anything_runs(changes, says):
    with pytest.raises(UsageError, match=says):
        experiment(**changes)


def test_a_file_that_is_no_toml_is_refused_with_its_name(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("name = ")
    with pytest.raises(SettingsError, match=r"bad\.toml"):
        Experiment.read(file)


def test_the_headline_speaks_of_the_metric_marked_primary_or_else_the_first():
    two = [{"name": "total_variation_curve"}, {"name": "perturbation_curve", "primary": True}]
    assert experiment(metrics=two).primary_metric() == "perturbation_curve"
    assert experiment().primary_metric() == "total_variation_curve"


def test_a_network_that_is_trained_here_is_trained_as_often_as_asked_and_any_other_once():
    recipe = {"name": "trained", "label": "mine", "seed": 4, "architecture": {"name": "toy", "seed": 7}}
    entries = list(experiment(models=[recipe, *BASE["models"]], trainings=2).model_entries())
    assert [(entry.label, entry.suffix) for entry in entries] == [("mine", ", training 1"), ("mine", ", training 2"), ("", "")]
    assert [(entry.loader.seed, entry.loader.architecture.seed) for entry in entries[:2]] == [(4, 7), (5, 8)]
    assert [entry.recipe_of("mine, training 2") for entry in entries] == ["mine, training 2", "mine", ""]
    assert [entry.suffix for entry in experiment(models=[recipe]).model_entries()] == [""]
    with pytest.raises(SettingsError, match="trainings = 2: expected a network that is trained here, got none"):
        experiment(trainings=2)
