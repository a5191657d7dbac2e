"""Remove and retrain: against its slow twin, on the toy of the paper, and where it is known which pixels hold the information."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import heatproof as hp
from heatproof.core.errors import ModelError, SettingsError, TensorError
from heatproof.data import PlantedPatches, load_images
from heatproof.methods import Gradient, InputMap, RandomMap
from heatproof.metrics import Roar, Scores
from heatproof.models import Bounds
from heatproof.models.loaders import Toy
from heatproof.perturb.fills import NoisyLinear
from heatproof.training import Trained, TrainingConfig
from tests.references import roar
from tests.references.twin import twin_of

SMALL = Trained(
    architecture=Toy(architecture="three_blocks", side=16, channels=3, classes=4, width=0.1),
    dataset=PlantedPatches(n=6),
    training=TrainingConfig(epochs=2, batch_size=3),
)


@twin_of("roar")
@pytest.mark.parametrize("keep", [False, True])
def test_roar(keep: bool) -> None:
    metric = Roar(network=SMALL, shares=(0.2, 0.6), keep=keep, retrainings=2, performance="probability")
    model = SMALL.architecture.load()
    train, test = (load_images(PlantedPatches(n=6, part=part), model.preprocessing) for part in ("train", "test"))
    labels, target = torch.arange(6) % 4, torch.tensor([0, 1, 2, 3, 3, 1])
    found = hp.score(metric, model, test, RandomMap(), target=target)  # it has no ties, and another map for each class
    mean = [float(train[:, c].double().mean()) for c in range(3)]
    curves = []
    for share in metric.shares:
        shown = []
        for images in (train, test):  # the network's own decisions are explained, not labels
            maps = RandomMap().attribute(model, images, model.outputs(images).argmax(1)).values
            shown.append(torch.stack([roar.changed(*pair, share, keep, mean) for pair in zip(images, maps, strict=True)]))
        curves.append([roar.probabilities(SMALL, nth, shown[0], labels, shown[1], target) for nth in range(2)])
    whole = [roar.probabilities(SMALL, nth, train, labels, test, target) for nth in range(2)]
    expected = torch.tensor(curves).mean(1).T
    assert torch.allclose(found.values, expected.mean(1), atol=1e-5)
    assert torch.allclose(found.components["unchanged"], torch.tensor(whole).mean(0), atol=1e-5)
    assert found.curve is not None
    assert torch.allclose(found.curve[:, :2] if keep else found.curve[:, 1:], expected, atol=1e-5)
    assert torch.allclose(found.curve[:, -1 if keep else 0], found.components["unchanged"])
    assert metric.curve_at == ((0.2, 0.6, 1.0) if keep else (0.0, 0.2, 0.6))


TOY = {
    "truth": ((0.83, 0.83), (0.52, 0.67), (0.50, 0.50), (0.50, 0.50), (0.50, 0.50)),
    "random": ((0.83, 0.83), (0.71, 0.81), (0.68, 0.81), (0.60, 0.76), (0.57, 0.67)),
    "worst": ((0.83, 0.83), (0.77, 0.83), (0.72, 0.83), (0.68, 0.83), (0.64, 0.82)),
}
"""The accuracy of the paper's toy without and with retraining, when 0, 2, 4, 8 and 12 of the 16 features are removed."""


def test_the_toy_of_the_paper_shows_that_retraining_mends_what_only_looked_harmful() -> None:
    """Features are the pixels of images of 4 × 4, ranked and removed as ROAR does; classifiers are solved, not trained."""
    found: dict[str, list[list[list[float]]]] = {name: [] for name in TOY}
    for seed in range(60):
        x, y, a = roar.toy(seed, 1000)
        rankings = {"truth": np.abs(a), "random": np.random.default_rng(seed).random(16), "worst": -np.abs(a)}
        before = roar.least_squares(x[:500], y[:500])
        for name, ranking in rankings.items():
            map_ = torch.tensor(ranking).view(1, 1, 4, 4)
            places = Roar(ranking="signed").places(map_, map_, seed)
            row = []
            for removed in (0, 2, 4, 8, 12):
                images = torch.tensor(x).view(-1, 1, 4, 4)
                mean, bounds = torch.zeros(1), Bounds.of(-9, 9, 1)
                at = Roar().changed(images, places.expand(len(x), 16), removed / 16, mean, bounds, 0).flatten(1).numpy()
                after = roar.least_squares(at[:500], y[:500])
                row.append([float((decide(at[500:]) == y[500:]).mean()) for decide in (before, after)])
            found[name].append(row)
    for name, rows in TOY.items():
        assert np.mean(found[name], 0) == pytest.approx(np.array(rows), abs=0.05), name


PATCH = (6 / 16) ** 2
LEARNT = Trained(
    architecture=Toy(architecture="cnn", width=0.25, side=16, classes=4, seed=1),
    dataset=PlantedPatches(n=200),
    training=TrainingConfig(epochs=10, learning_rate=5e-3, batch_size=20),
    seed=1,
)


def curve(metric: Roar, method: object) -> list[float]:
    model, test = metric.network.architecture.load(), PlantedPatches(part="test", n=100)
    found = hp.score(metric, model, load_images(test, model.preprocessing), method, target=torch.arange(100) % 4)
    assert found.curve is not None
    return found.curve.mean(0).tolist()


def test_without_the_planted_patch_new_networks_are_at_chance_and_with_it_alone_they_know_all() -> None:
    """The image itself ranks the patch first. A random map removes as many pixels, and new networks do without them."""
    metric = Roar(network=LEARNT, shares=(PATCH,), retrainings=1)
    whole, without = curve(metric, InputMap())
    assert whole > 0.6
    assert without == pytest.approx(0.25, abs=0.11)  # 2.5 standard errors of 100 images
    assert curve(metric, RandomMap())[1] > 0.5
    kept = metric.model_copy(update={"keep": True})
    assert curve(kept, InputMap())[0] > whole - 0.05
    assert (metric.direction.value, kept.direction.value) == ("lower", "higher")


def test_nothing_replaced_is_the_image_as_it_is_and_everything_replaced_is_chance() -> None:
    ends = curve(Roar(network=SMALL_GREY, shares=(0.0, 1.0), retrainings=1), RandomMap())
    assert ends[0] == ends[1]
    assert ends[2] == 0.25


SMALL_GREY = SMALL.model_copy(update={"architecture": Toy(architecture="cnn", side=16, classes=4, width=0.1)})


def test_a_mask_shows_where_pixels_are_left_and_a_fill_may_depend_on_them() -> None:
    images, bounds, places = torch.full((1, 1, 2, 2), 0.5), Bounds.of(0, 1, 1), torch.tensor([[0, 1, 2, 3]])

    def shown(metric: Roar) -> Tensor:
        return metric.changed(images, places, 0.5, torch.zeros(1), bounds, 0).flatten()

    assert shown(Roar(sees="mask")).tolist() == [0, 0, 1, 1]
    assert shown(Roar(sees="mask", keep=True)).tolist() == [1, 1, 0, 0]
    imputed = shown(Roar(fill=NoisyLinear()))
    assert imputed[2:].tolist() == [0.5, 0.5]
    assert imputed[:2].tolist() == pytest.approx([0.5, 0.5], abs=0.05)


def test_what_was_trained_is_not_trained_again_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = Roar(network=SMALL_GREY.model_copy(update={"seed": 7}), shares=(0.3, 0.6), retrainings=2)
    training: Any = sys.modules["heatproof.training.retrained"]
    fit, trained = training.fit, []

    def counted(*arguments: object, **settings: object) -> object:
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(settings["seed"])
        return fit(*arguments, **settings)

    monkeypatch.setattr(training, "fit", counted)
    stop = 4
    with pytest.raises(KeyboardInterrupt):
        curve(metric, Gradient())
    stop = -1
    curve(metric, Gradient())
    assert trained == [8, 9] * 3
    curve(metric, RandomMap())  # the networks of unchanged images serve all methods
    curve(metric.model_copy(update={"sees": "mask"}), RandomMap())
    assert len(trained) == 6 + 4 + 4


def test_accuracies_of_each_network_are_told() -> None:
    model = SMALL_GREY.architecture.load()
    images = load_images(PlantedPatches(part="test", n=8), model.preprocessing)
    metric = Roar(network=SMALL_GREY, shares=(0.5,), retrainings=2)
    found: Scores = hp.score(metric, model, images, "random_map", target=torch.arange(8) % 4)
    accuracies = found.details["accuracies"]
    assert {name: len(each) for name, each in accuracies.items()} == {"unchanged": 2, "0.5": 2}
    assert np.mean(accuracies["0.5"]) == pytest.approx(found.values.mean().item())
    assert found.details["epochs"] == 8


def test_bad_input_is_refused_with_the_remedy() -> None:
    model = SMALL_GREY.architecture.load()
    images = load_images(PlantedPatches(part="test", n=2), model.preprocessing)
    for shares in ((), (0.5, 0.1), (0.5, 1.5), (0.5, 0.5)):
        with pytest.raises(SettingsError, match="expected rising shares from 0 to 1"):
            Roar(shares=shares)
    with pytest.raises(ModelError, match=r"roar: network: expected one that takes the images of .* retrain the same"):
        hp.score(Roar(), model, images, "random_map")
    metric = Roar(network=SMALL_GREY, shares=(0.5,), retrainings=1)
    other = model.with_(module=Toy(architecture="cnn", side=16, classes=9, width=0.1).load().module)
    with pytest.raises(TensorError, match=r"expected labels from 0 to 3.* got 8; give the architecture as many classes"):
        hp.score(metric, other, images, "random_map", target=8)


def test_the_caption_says_what_new_networks_see():
    captions = {Roar(network=Trained(), keep=keep, sees=sees).caption for keep in (False, True) for sees in ("image", "mask")}
    assert len(captions) == 3
    assert Roar(network=Trained(), keep=True).caption.endswith("on nothing but the pixels that the map ranks first.")
