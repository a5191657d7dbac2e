import pickle

import pytest

from heatproof.core import errors


@pytest.mark.parametrize("kind", [errors.SettingsError, errors.UnknownNameError, errors.TensorError])
def test_usage_errors_are_value_errors_and_ours(kind: type[errors.UsageError]) -> None:
    assert issubclass(kind, ValueError)
    assert issubclass(kind, errors.HeatproofError)


@pytest.mark.parametrize("kind", [errors.DataError, errors.ImageRefused, errors.ModelError, errors.WeightsMissing, errors.RunError])
def test_other_errors_are_ours_and_no_value_errors(kind: type[errors.HeatproofError]) -> None:
    assert issubclass(kind, errors.HeatproofError)
    assert not issubclass(kind, ValueError)


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = errors.UnknownNameError("method", "integrated_gradient", ["gradient", "integrated_gradients"])
    assert str(error) == "no method is called 'integrated_gradient'. Did you mean integrated_gradients or gradient?"


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "densenet121", "vit"])
def test_a_name_that_is_not_near_is_not_suggested(name: str) -> None:
    assert errors.near_names(name, ["trained", "timm", "toy", "file", "torchvision"]) == ""


def test_a_hint_takes_the_place_of_names_and_long_lists_are_cut() -> None:
    assert str(errors.UnknownNameError("model", "resnet50", ["trained"], "Write timm:resnet50.")).endswith(". Write timm:resnet50.")
    many = str(errors.UnknownNameError("architecture", "zzz", [f"a{i:04}" for i in range(1200)]))
    assert many.endswith(" and 1,176 more.")


def test_an_unknown_name_far_from_all_lists_them() -> None:
    assert str(errors.UnknownNameError("fill", "zzz", ["white", "black"])) == "no fill is called 'zzz'. Known: black, white."


def test_a_refused_image_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.ImageRefused("a.png", "is no image")))
    assert (error.source, error.reason, str(error)) == ("a.png", "is no image", "a.png: is no image")
