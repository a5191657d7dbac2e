import pytest

from heatproof.core.errors import SettingsError, UnknownNameError
from heatproof.core.settings import exports
from heatproof.models.loaders import (
    EfficientnetLite0,
    File,
    Huggingface,
    Loader,
    Squeezenet1_1,
    Timm,
    Torchvision,
    load_model,
    resolve,
)


def test_every_loader_that_can_be_named_is_listed():
    here = [
        "efficientnet_lite0",
        "file",
        "huggingface",
        "imported",
        "message_passing",
        "squeezenet1_1",
        "timm",
        "tiny_xception",
        "torchvision",
        "toy",
    ]
    assert sorted(exports(Loader)) == sorted([*here, "in_domain", "trained"])  # which live a floor higher


@pytest.mark.parametrize(
    ("reference", "loader"),
    [
        ("efficientnet_lite0", EfficientnetLite0()),
        ("squeezenet1_1", Squeezenet1_1()),
        ("torchvision:resnet18", Torchvision(architecture="resnet18")),
        ("timm:vit_tiny_patch16_224.augreg_in21k", Timm(architecture="vit_tiny_patch16_224.augreg_in21k")),
        ("huggingface:google/vit-base-patch16-224", Huggingface(repository="google/vit-base-patch16-224")),
        ({"name": "timm", "architecture": "resnet18", "pretrained": False}, Timm(architecture="resnet18", pretrained=False)),
        (
            {"name": "file", "path": "x.pt", "architecture": {"name": "timm", "architecture": "resnet18", "pretrained": False}},
            File(path="x.pt", architecture=Timm(architecture="resnet18", pretrained=False)),
        ),
        (EfficientnetLite0(), EfficientnetLite0()),
    ],
    ids=str,
)
def test_a_reference_names_a_loader_that_survives_a_round_trip(reference, loader):
    assert resolve(reference) == loader
    assert Loader.from_dict(loader.to_dict()) == loader


def test_random_can_be_written_where_none_cannot():
    loader = resolve({"name": "torchvision", "architecture": "resnet18", "weights": "random"})
    assert loader == Torchvision(architecture="resnet18", weights=None)
    assert loader.random


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("efficientnet_lite", UnknownNameError, "no model is called 'efficientnet_lite'.*Did you mean efficientnet_lite0"),
        ("no_network", UnknownNameError, "no model is called 'no_network'. Known: "),
        ("owner/network", UnknownNameError, 'Write huggingface:owner/network; in a table, .*repository = "owner/network"'),
        ({"name": "timm:resnet18"}, UnknownNameError, 'A table has two entries: name = "timm", and what it loads, here resnet18'),
        ({"name": "torchvison"}, UnknownNameError, "Did you mean torchvision"),
        ("torchvision", SettingsError, "write torchvision:ARCHITECTURE"),
        ("timm:", SettingsError, "write timm:ARCHITECTURE"),
        ("squeezenet1_1:x", SettingsError, "takes nothing after a colon; write squeezenet1_1"),
        ("file:weights.safetensors", SettingsError, "file also needs architecture.*give a table, such as"),
        ({"architecture": "resnet18"}, SettingsError, "expected a table with `name`"),
        ({"name": "timm", "architectur": "resnet18"}, SettingsError, "no such setting; did you mean architecture"),
    ],
    ids=str,
)
def test_a_reference_that_cannot_be_understood_is_answered_with_what_to_write(reference, error, message):
    with pytest.raises(error, match=message):
        load_model(reference)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_an_architecture_alone_is_answered_with_its_loader(library):
    pytest.importorskip(library)
    for refuse in (load_model, lambda name: Loader.from_dict({"name": name})):
        with pytest.raises(UnknownNameError, match=rf"Write .*{library}:resnet18.*in a table, .*architecture = \"resnet18\""):
            refuse("resnet18")
