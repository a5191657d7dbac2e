import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from heatproof.core.errors import ModelError, SettingsError, WeightsMissing
from heatproof.models import Preprocessing
from heatproof.models.loaders import File, Loader, Torchvision

pytest.importorskip("torchvision")

SMALL = {"name": "torchvision", "architecture": "squeezenet1_1", "weights": None, "classes": 3}


@pytest.fixture
def state():
    return Torchvision(architecture="squeezenet1_1", weights=None, classes=3, seed=9).load().module.state_dict()


def load(path, **fields):
    return File(path=path, architecture=SMALL, **fields).load()


def fits(model, state):
    return all(torch.equal(value, state[key]) for key, value in model.module.state_dict().items())


def test_safetensors_are_loaded(tmp_path, state):
    save_file(state, tmp_path / "x.safetensors")
    model = load(tmp_path / "x.safetensors", class_names=("a", "b", "c"), preprocessing=Preprocessing(side=64, resize=64))
    assert fits(model, state)
    assert (model.name, model.class_names, model.preprocessing.side) == ("file:x", ("a", "b", "c"), 64)


def test_a_state_dict_is_loaded(tmp_path, state):
    torch.save(state, tmp_path / "x.pt")
    assert fits(load(tmp_path / "x.pt"), state)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_training_checkpoint_is_unwrapped(tmp_path, state, key):
    torch.save({key: {f"module.{name}": value for name, value in state.items()}, "epoch": 3}, tmp_path / "x.pt")
    assert fits(load(tmp_path / "x.pt"), state)


def test_bounds_follow_the_preprocessing(tmp_path, state):
    torch.save(state, tmp_path / "x.pt")
    model = load(tmp_path / "x.pt", preprocessing=Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3))
    assert model.bounds.lower.tolist() == [0, 0, 0]


def test_settings_survive_a_round_trip(tmp_path):
    loader = File(path=tmp_path / "x.pt", architecture=SMALL, preprocessing=Preprocessing(side=64))
    assert Loader.from_dict(loader.to_dict()) == loader


def test_keys_that_do_not_fit_are_named(tmp_path, state):
    first = state.pop("features.0.weight")
    state["classifier.1.bias"] = torch.zeros(5)
    torch.save({**state, "extra": first}, tmp_path / "x.pt")
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "x.pt")
    for fault in (
        "1 missing (features.0.weight)",
        "1 unexpected (extra)",
        "1 of another shape (classifier.1.bias is [5] and should be [3])",
    ):
        assert fault in str(caught.value)


def test_only_the_first_few_keys_are_named(tmp_path):
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"52 missing \(features\.0\.weight, features\.0\.bias, [^,]*, …\)"):
        load(tmp_path / "x.pt")


class Attack:
    def __reduce__(self):
        import os

        return os.getcwd, ()


def test_a_pickle_that_would_run_code_is_refused_and_the_code_is_named(tmp_path):
    torch.save({"weights": Attack()}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"refused, because loading it would run code \(it names posix\.getcwd\); .*save_file"):
        load(tmp_path / "x.pt")


def test_a_whole_module_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "x.pt")
    with pytest.raises(ModelError, match="would run code"):
        load(tmp_path / "x.pt")


def test_a_plain_pickle_that_would_run_code_is_refused(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ModelError, match=r"x\.pkl"):
        load(tmp_path / "x.pkl")


@pytest.mark.parametrize("inside", ["x/code/__torch__.py", "x/constants.pkl", "x/archive_format"])
def test_an_archive_with_a_program_is_refused(tmp_path, inside):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr(inside, "")
    with pytest.raises(ModelError, match="holds a program"):
        load(tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_a_program_is_refused_by_its_suffix(tmp_path, suffix):
    (tmp_path / f"x{suffix}").touch()
    with pytest.raises(ModelError, match="holds a program, not weights"):
        load(tmp_path / f"x{suffix}")


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_a_torn_file_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x01torn")
    with pytest.raises(ModelError, match=name):
        load(tmp_path / name)


def test_something_other_than_a_state_dict_is_an_error(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="expected a state dict, names to tensors, got a dict with epoch"):
        load(tmp_path / "x.pt")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(WeightsMissing, match="no such file"):
        load(tmp_path / "x.pt")


def test_an_architecture_with_trained_weights_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="expected an architecture with random weights"):
        File(path=tmp_path / "x.pt", architecture=Torchvision(architecture="resnet18")).load()


def test_an_architecture_is_needed(tmp_path):
    with pytest.raises(SettingsError, match="architecture: Field required"):
        File(path=tmp_path / "x.pt")
