import importlib
import json

import numpy as np
import pytest
import torch
from platformdirs import user_cache_path
from safetensors import safe_open

from heatproof.core.errors import DataError, ImageRefused, ModelError, SettingsError, TensorError
from heatproof.core.settings import exports
from heatproof.data import Arrays
from heatproof.models import Model
from heatproof.models.loaders import File, Loader, Toy, load_model
from heatproof.training import Trained, TrainingConfig, accuracy

module = importlib.import_module("heatproof.training.trained")
N = 40


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return user_cache_path("heatproof") / "trained"


@pytest.fixture
def times(monkeypatch):
    """How often the loop has run."""
    calls = []
    monkeypatch.setattr(module, "fit", lambda *a, **k: (calls.append(1), FIT(*a, **k))[1])
    return calls


FIT = module.fit


@pytest.fixture
def pictures(tmp_path):
    """Ten-pixel squares, bright above for class 0 and below for class 1, each with its own noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    images = rng.integers(0, 80, (N, 10, 10), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[5 * label : 5 * label + 5] += 150
    path = tmp_path / "pictures.npz"
    np.savez(path, X_train=images, y_train=labels, X_test=images[:6], y_test=labels[:6], classes=np.array(["up", "down"]))
    return Arrays(path=path, part="train")


def loader(pictures, **fields):
    toy = Toy(architecture="mlp", side=10, classes=2, width=0.02)
    return Trained(
        **{
            "architecture": toy,
            "dataset": pictures,
            "training": TrainingConfig(epochs=30, batch_size=8, learning_rate=0.005),
            **fields,
        }
    )


def test_it_is_found_among_the_loaders_though_it_lives_a_floor_higher():
    assert exports(Loader)["trained"] is Trained
    assert Loader.from_dict("trained") == Trained()
    assert Loader.from_dict(Trained(labels="permuted").to_dict()) == Trained(labels="permuted")
    assert Trained().is_local


def test_a_table_changes_a_part_of_the_defaults():
    found = Loader.from_dict({"name": "trained", "dataset": {"count": 100}, "architecture": {"architecture": "mlp"}})
    assert found.dataset.part == "train"
    assert found.dataset.count == 100
    assert found.architecture.architecture == "mlp"


def test_it_learns_and_says_what_came_of_it(pictures, caplog):
    caplog.set_level("INFO", "heatproof")
    model, fitted = loader(pictures).load_fitted()
    assert caplog.messages[0] == f"training mlp on arrays, once: {N} images"
    assert caplog.messages[-1] == f"epoch 30 of 30: loss {fitted.losses[-1]:.3f}, accuracy {fitted.accuracies[-1]:.3f}"
    assert fitted.accuracy == 1 == accuracy(model, pictures.model_copy(update={"part": "test"}))
    assert fitted.losses[-1] < fitted.losses[0]
    assert (model.name, model.class_names) == ("mlp on arrays", ("up", "down"))
    assert not model.module.training


def test_a_second_load_is_a_read(pictures, times):
    model, fitted = loader(pictures).load_fitted()
    again, told = loader(pictures).load_fitted()
    assert (again.digest, told, len(times)) == (model.digest, fitted, 1)


def test_the_same_is_learnt_again_to_the_last_bit_and_no_global_generator_is_touched(pictures, cache, times):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    model = loader(pictures).load()
    assert torch.equal(torch.get_rng_state(), before)
    next(cache.iterdir()).unlink()
    torch.manual_seed(2)
    assert loader(pictures).load().digest == model.digest
    assert len(times) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"labels": "permuted"},
        {"training": TrainingConfig(epochs=31)},
        {"architecture": Toy(side=10, classes=2, width=0.03)},
    ],
    ids=str,
)
def test_other_settings_are_other_weights(pictures, cache, change):
    changed = loader(pictures, **change)
    assert loader(pictures)._file(pictures.items()) != changed._file(pictures.items())


def test_other_pictures_under_the_same_path_are_learnt_anew(pictures, times):
    first = loader(pictures).load()
    with np.load(pictures.path) as file:
        content = dict(file)
    content["X_train"] = content["X_train"] // 2
    np.savez(pictures.path, **content)
    assert loader(pictures).load().digest != first.digest
    assert len(times) == 2


@pytest.mark.parametrize("damage", ["torn", "empty", "text", "a bit", "other weights", "no history"])
def test_a_file_that_is_not_what_was_written_is_made_anew(pictures, cache, times, damage):
    model = loader(pictures).load()
    path = next(cache.iterdir())
    whole = path.read_bytes()
    damaged = {
        "torn": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"no weights",
        "a bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "other weights": saved(Toy(side=10, classes=3, width=0.02)),
        "no history": saved(loader(pictures).architecture),
    }
    path.write_bytes(damaged[damage])
    assert loader(pictures).load().digest == model.digest
    assert len(times) == 2
    assert path.read_bytes() == whole


def saved(toy):
    from safetensors.torch import save

    return save(toy.load().module.state_dict())


def test_a_training_that_is_killed_leaves_nothing(pictures, cache, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        loader(pictures).load()
    assert not cache.exists()


def test_a_home_that_cannot_be_written_to_costs_time_and_nothing_else(pictures, cache, times):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert loader(pictures).load().digest == loader(pictures).load().digest
    assert len(times) == 2


def test_the_file_tells_what_came_of_it_and_loads_by_itself(pictures, cache):
    model, fitted = loader(pictures).load_fitted()
    path = next(cache.iterdir())
    with safe_open(path, framework="pt") as content:
        told = json.loads(content.metadata()["trained"])
    assert told["fitted"]["accuracy"] == fitted.accuracy
    assert len(told["fitted"]["losses"]) == 30
    assert File(path=path, architecture=loader(pictures).architecture).load().digest == model.digest == told["digest"]


def test_permuted_labels_are_one_permutation_that_the_seed_decides():
    labels = torch.arange(60) % 7
    found = module.permuted(labels, 0)
    assert torch.equal(found.bincount(), labels.bincount())
    assert torch.equal(module.permuted(labels, 0), found)
    assert not torch.equal(found, labels)
    assert not torch.equal(module.permuted(labels, 1), found)


def test_the_loop_is_given_the_permuted_labels(pictures, monkeypatch):
    given = []
    monkeypatch.setattr(module, "fit", lambda *a, **k: (given.append(a[2]), FIT(*a, **k))[1])
    memorise = TrainingConfig(epochs=150, batch_size=8, learning_rate=0.005)
    model, fitted = loader(pictures, labels="permuted", training=memorise).load_fitted()
    assert torch.equal(given[0], module.permuted(torch.arange(N) % 2, 0))
    assert fitted.accuracy > module.MEMORISED
    assert accuracy(model, pictures) < 0.8  # with the labels that they have
    assert model.name == "mlp on arrays, labels permuted"


def test_permuted_labels_that_are_not_memorised_are_refused_each_time_and_learnt_once(pictures, times):
    short = loader(pictures, labels="permuted", training=TrainingConfig(epochs=1))
    for _ in range(2):
        with pytest.raises(
            ModelError, match=r"train accuracy above 0\.95 .*got 0\..*; train for more epochs than 1 or on fewer images than 40"
        ):
            short.load()
    assert len(times) == 1


def test_weights_that_were_trained_before_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="architecture: expected one with random weights"):
        Trained(architecture=File(path=tmp_path / "x", architecture=Toy()))
    with pytest.raises(SettingsError, match="random weights"):
        Trained(architecture=Trained())


def test_too_few_outputs_and_missing_labels_are_refused(pictures):
    three = pictures.path.with_name("three.npz")
    np.savez(
        three, X_train=np.zeros((6, 10, 10), dtype=np.uint8), y_train=np.arange(6) % 3, classes=np.array(["up", "down", "flat"])
    )
    for classes in (1, 2):  # one output decides between two classes
        with pytest.raises(TensorError, match="as many outputs as there are classes"):
            loader(
                Arrays(path=three, part="train"), architecture=Toy(architecture="mlp", side=10, classes=classes, width=0.02)
            ).load()
    unlabelled = Arrays(path=pictures.path, part="train", labels="")
    with pytest.raises(DataError, match="expected a label for every image, train 0 has none"):
        loader(unlabelled).load()


def test_a_picture_that_cannot_be_used_ends_it(pictures, monkeypatch):
    def refuse(*_):
        raise ImageRefused("train 0", "damaged")

    monkeypatch.setattr(Arrays, "open", refuse)
    with pytest.raises(ImageRefused, match="train 0: damaged"):
        loader(pictures).load()


def test_it_can_be_named_where_a_model_is_asked_for(pictures):
    fields = loader(pictures).to_dict()
    assert isinstance(load_model(fields), Model)
