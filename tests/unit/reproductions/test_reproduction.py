"""Recipes: presets and budgets change what they name and nothing else, at any depth."""

from pathlib import Path

import pytest

from heatproof import reproductions
from heatproof.cli.reproduce import _dataset
from heatproof.core.errors import SettingsError
from heatproof.reproductions.reproduction import Reproduction

TEXT = """
name = "paper"
controls = ["Chance"]
[dataset]
name = "photos"
count = 12
[[models]]
name = "efficientnet_lite0"
[[models]]
name = "squeezenet1_1"
[[methods]]
name = "smooth_taylor"
label = "A"
samples = 100
[[methods]]
name = "smooth_grad"
label = "B"
method = { name = "smooth_taylor", samples = 50 }
[[methods]]
name = "random_map"
label = "Chance"
[[metrics]]
name = "perturbation_curve"
[[metrics]]
name = "total_variation_curve"
[[tables]]
title = "I"
methods = ["A"]
published = { densenet121 = { perturbation_curve = [1.0] } }
[[tables]]
title = "II"
methods = ["A", "B"]
published = { densenet121 = { perturbation_curve = [1.0, 2.0] } }
[[claims]]
says = "A is below B"
metric = "perturbation_curve"
below = ["A"]
above = ["B"]
[[claims]]
says = "A is below chance"
metric = "perturbation_curve"
below = ["A"]
above = ["Chance"]
[presets.code]
says = "as run"
[presets.slides]
says = "as shown"
[presets.slides.settings]
total_variation_curve = { normalise = "once" }
[budgets.small]
says = "little."
count = 3
models = ["squeezenet1_1"]
only = ["A"]
[budgets.small.settings]
perturbation_curve = { draws = 3 }
smooth_taylor = { samples = 7 }
"""
REPRODUCTION = Reproduction.parse(TEXT)


def labels(experiment):
    return [entry.label for entry in experiment.method_entries()]


def test_nothing_is_changed_unless_asked():
    experiment = REPRODUCTION.experiment()
    assert experiment.name == "paper"
    assert labels(experiment) == ["A", "B", "Chance"]
    assert experiment.metric_list()[1].normalise == "per level"
    assert (experiment.budget, experiment.smoke, len(experiment.models)) == ("", False, 2)
    assert [list(claim.pairs()) for claim in experiment.claims] == [[("A", "B")], [("A", "Chance")]]


def test_a_preset_changes_definitions_and_the_name_of_the_run():
    experiment = REPRODUCTION.experiment(preset="slides")
    assert experiment.metric_list()[1].normalise == "once"
    assert experiment.name == "paper-slides"
    assert REPRODUCTION.experiment(preset="code") == REPRODUCTION.experiment()


def test_a_budget_cuts_images_networks_methods_and_settings_at_any_depth():
    experiment = REPRODUCTION.experiment(budget="small")
    assert experiment.name == "paper-small"
    assert experiment.budget == "little"
    assert experiment.dataset["count"] == 3
    assert [model["name"] for model in experiment.models] == ["squeezenet1_1"]
    assert labels(experiment) == ["A", "Chance"]
    assert next(experiment.method_entries()).method.samples == 7
    assert experiment.metric_list()[0].candidates == 3
    assert [(table.title, table.methods) for table in experiment.tables] == [("I", ("A",)), ("II", ("A",))]
    assert experiment.tables[1].published["densenet121"]["perturbation_curve"] == (1.0,)
    assert [claim.says for claim in experiment.claims] == ["A is below chance"]
    wrapped = Reproduction.parse(TEXT.replace('only = ["A"]', 'only = ["B"]')).experiment(budget="small")
    assert next(wrapped.method_entries()).method.method.samples == 7


def test_a_table_brings_its_methods_and_the_controls():
    experiment = REPRODUCTION.experiment(tables=[1])
    assert labels(experiment) == ["A", "Chance"]
    assert [claim.says for claim in experiment.claims] == ["A is below chance"]


def test_other_images_keep_the_count_of_the_budget():
    photos = {"name": "photos", "count": 2}
    assert REPRODUCTION.experiment(budget="small", dataset=photos).dataset["count"] == 2
    assert REPRODUCTION.experiment(budget="small", dataset={"name": "digits"}).dataset == {"name": "digits", "count": 3}
    assert REPRODUCTION.experiment(budget="small", images=9).dataset["count"] == 9
    assert REPRODUCTION.experiment(images=5, dataset={"name": "digits"}).dataset == {"name": "digits", "count": 5}
    assert REPRODUCTION.experiment(models=[{"name": "squeezenet1_1"}]).models == ({"name": "squeezenet1_1"},)


SWEPT = (
    TEXT.replace('label = "A"\nsamples = 100', 'label = "A"\ngrid = { samples = [5, 100] }')
    .replace('"A"', '"A (samples 100)"')
    .replace('label = "A (samples 100)"', 'label = "A"')
    .replace('name = "total_variation_curve"', 'name = "similarity_to"\nreference = "A (samples 5)"', 1)
    + """
[[sweeps]]
title = "of A"
method = "smooth_taylor"
along = "samples"
[[sweeps]]
title = "of B"
method = "smooth_grad"
along = "samples"
"""
)


def test_grids_are_points_before_anything_is_cut_and_a_reference_need_not_be_run():
    whole, small = (Reproduction.parse(SWEPT).experiment(budget=budget) for budget in ("full", "small"))
    assert labels(whole) == ["A (samples 5)", "A (samples 100)", "B", "Chance"]
    assert labels(small) == ["A (samples 100)", "Chance"]
    assert whole.metric_list()[1].reference.samples == small.metric_list()[1].reference.samples == 5
    assert [sweep.title for sweep in whole.sweeps] == ["of A", "of B"]
    assert [sweep.title for sweep in small.sweeps] == ["of A"]


def test_an_optional_network_is_left_out_where_it_would_have_to_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    vgg = (
        '[[models]]\nname = "torchvision"\narchitecture = "vgg16"\nweights = "IMAGENET1K_V1"\noptional = true\noutput = "margin"\n'
    )
    reproduction = Reproduction.parse(TEXT.replace("[[models]]", f"{vgg}[[models]]", 1))
    assert [model["name"] for model in reproduction.experiment().models] == ["efficientnet_lite0", "squeezenet1_1"]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").touch()
    assert [model["name"] for model in reproduction.experiment().models] == ["torchvision", "efficientnet_lite0", "squeezenet1_1"]
    assert reproduction.experiment(models=[{"name": "squeezenet1_1"}]).models == ({"name": "squeezenet1_1", "output": "margin"},)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"preset": "talk"}, "preset: expected one of code, slides, got 'talk'"),
        ({"budget": "large"}, "budget: expected one of full, small, got 'large'"),
        ({"tables": [3]}, "table: expected 1 to 2, got 3"),
    ],
)
def test_unknown_names_are_refused_with_those_there_are(choice, message):
    with pytest.raises(SettingsError, match=message):
        REPRODUCTION.experiment(**choice)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('methods = ["A", "B"]', 'methods = ["A", "C"]', "got 'C'"),
        ('above = ["B"]', 'falls = ["B", "A"]', "expected below and above"),
        ("[1.0, 2.0]", "[1.0]", "expected 2 numbers"),
        ('metric = "perturbation_curve"', 'metric = "elegance"', "got 'elegance'"),
    ],
)
def test_tables_and_claims_that_speak_of_nothing_are_refused(old, new, message):
    with pytest.raises((SettingsError, KeyError), match=message):
        Reproduction.parse(TEXT.replace(old, new)).experiment()


def test_a_preset_may_change_what_stands_outside_the_tables_and_leave_out_methods_and_metrics():
    text = TEXT + '[presets.own]\nsays = "other"\ntarget = "label"\nonly = ["B"]\nwithout = ["perturbation_curve"]\n'
    text += 'models = [{ name = "squeezenet1_1" }]\ndataset = { name = "digits", count = 5 }\n'
    experiment = Reproduction.parse(text).experiment(preset="own")
    assert (experiment.target, labels(experiment)) == ("label", ["B", "Chance"])
    assert [metric.name for metric in experiment.metric_list()] == ["total_variation_curve"]
    assert [model["name"] for model in experiment.models] == ["squeezenet1_1"]
    assert experiment.dataset == {"name": "digits", "count": 5}
    assert experiment.claims == (), "claims of a metric that was left out are left out"


def test_settings_go_to_one_of_several_of_a_name_by_its_label():
    text = TEXT.replace("[presets.code]", "[presets.code.settings]\nB = { samples = 3 }\n[presets.code]", 1)
    counts = {
        entry.label: entry.method.samples
        for entry in Reproduction.parse(text).experiment().method_entries()
        if entry.label != "Chance"
    }
    assert counts == {"A": 100, "B": 3}


def test_a_network_that_the_reproduction_trains_is_trained_on_the_other_part_of_the_images_given():
    text = TEXT.replace('name = "efficientnet_lite0"', 'name = "trained"')
    given = {"name": "arrays", "path": "pictures.npz", "part": "test"}
    experiment = Reproduction.parse(text).experiment(dataset=given)
    assert experiment.models[0]["dataset"] == {"name": "arrays", "path": "pictures.npz", "part": "train"}
    assert experiment.dataset == {**given, "count": 12}


def test_what_a_metric_trains_is_trained_on_the_other_part_too_with_an_output_for_each_class(tmp_path):
    for part, classes in (("train", "abc"), ("val", "abc")):
        for name in classes:
            (tmp_path / part / name).mkdir(parents=True)
    experiment = Reproduction.parse(reproductions.read("roar")).experiment(dataset=_dataset(tmp_path), preset="colour")
    assert experiment.dataset["path"] == str(tmp_path / "val")
    trained = [experiment.models[0], *(metric["network"] for metric in experiment.metrics)]
    assert {each["dataset"]["path"] for each in trained} == {str(tmp_path / "train")}
    assert {(each["architecture"]["architecture"], each["architecture"]["classes"]) for each in trained} == {("three_blocks", 3)}
    assert _dataset(Path("torchvision_set,dataset=CIFAR10,root=data"))["dataset"] == "CIFAR10"


def test_images_without_others_to_train_on_are_refused_and_a_folder_that_is_not_there_is_left_to_the_data_set(tmp_path):
    roar = Reproduction.parse(reproductions.read("roar"))
    (tmp_path / "cats").mkdir()
    with pytest.raises(SettingsError, match="give a folder test, val or validation that lies beside a folder train"):
        roar.experiment(dataset=_dataset(tmp_path), preset="colour")
    assert roar.experiment(dataset={"name": "image_folder", "path": str(tmp_path / "gone")}).dataset["path"].endswith("gone")


def test_a_budget_says_nothing_that_a_preset_or_the_estimate_says_otherwise():
    for name in reproductions.names():
        made = Reproduction.parse(reproductions.read(name))
        for budget in made.budgets:
            assert "minutes on" not in made.description("budgets", budget)  # the command prints its own estimate
    roar = Reproduction.parse(reproductions.read("roar"))
    assert len(roar.experiment(preset="published", budget="short").metrics[0]["shares"]) == 5
    assert "shares" not in roar.description("budgets", "short")


def test_a_setting_of_what_is_named_as_the_reproduction_is_no_setting_of_the_experiment():
    experiment = Reproduction.parse(reproductions.read("roar")).experiment(budget="smoke")
    assert [metric["retrainings"] for metric in experiment.metrics] == [1]  # without KAR and the mask alone
    assert [claim.metric for claim in experiment.claims] == ["ROAR"]


def test_what_is_said_of_an_association_goes_with_its_metrics():
    text = TEXT.replace('name = "total_variation_curve"', 'name = "total_variation_curve"\nlabel = "TV"', 1)
    text += '[[associations]]\ntitle = "R"\nx = "TV"\ny = "TV"\n'
    text += '[[claims]]\nsays = "A rises"\nassociation = "R"\nstatistic = "pearson"\nreach = ["A"]\nleast = 0.0\n'
    text += '[presets.own]\nsays = "other"\nwithout = ["total_variation_curve"]\n'
    whole, cut = (Reproduction.parse(text).experiment(preset=preset) for preset in ("code", "own"))
    assert (len(whole.associations), [claim.association for claim in whole.claims]) == (1, ["", "", "R"])
    assert (len(cut.associations), [claim.association for claim in cut.claims]) == (0, ["", ""])
