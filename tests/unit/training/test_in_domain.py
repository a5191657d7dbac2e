"""Networks that are fine-tuned on single deletions, and what that changes for `single_deletion`."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.data import Arrays
from heatproof.data.loading import load
from heatproof.methods import IntegratedGradients, RandomMap
from heatproof.metrics import SingleDeletion
from heatproof.models import Model
from heatproof.models.loaders import Loader, Toy
from heatproof.perturb.fills import NearestNeighbour, Uniform
from heatproof.perturb.groups import RegularGrid
from heatproof.training import InDomain, Trained, TrainingConfig

pytestmark = pytest.mark.one_process  # one process trains each network
N, CELLS = 80, 16


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One for all tests, so that each network is trained once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """Noise, a little brighter above for class 0 and below for class 1, so that one white cell outweighs the difference."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    images = rng.integers(0, 80, (N, 10, 10), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[5 * label : 5 * label + 5] += 30
    path = tmp_path_factory.mktemp("pictures") / "pictures.npz"
    np.savez(path, X_train=images, y_train=labels, X_test=images[:6], y_test=labels[:6], classes=np.array(["up", "down"]))
    return Arrays(path=path, part="train")


def in_domain(pictures: Arrays, **fields: object) -> InDomain:
    toy = Toy(architecture="mlp", side=10, classes=2, width=0.1)
    base = Trained(architecture=toy, dataset=pictures, training=TrainingConfig(epochs=30, batch_size=8, learning_rate=0.005))
    training = TrainingConfig(epochs=30, batch_size=8, learning_rate=0.03, optimiser="sgd")
    return InDomain(**{"network": base, "dataset": pictures, "fill": "white", "training": training, **fields})


def rows(pictures: Arrays, model: Model) -> tuple[Tensor, Tensor]:
    items = pictures.items()
    return load(pictures, items, model.preprocessing).images, torch.tensor([item.label for item in items])


def accuracy_with_a_cell_deleted(model: Model, images: Tensor, labels: Tensor) -> float:
    inputs, groups = SingleDeletion(fill="white").inputs(model, images, labels, 0)
    right = []
    for cell in range(CELLS):
        keep = groups.present(range(N), (torch.arange(CELLS) != cell).expand(N, CELLS))
        right.append((model.outputs(inputs.filled(range(N), keep, [0] * N)).argmax(1) == labels).float().mean())
    return float(torch.stack(right).mean())


def test_a_network_in_domain_decides_more_often_right_about_images_that_lost_a_cell(pictures: Arrays) -> None:
    loader = in_domain(pictures)
    before, (after, _) = loader.network.load(), loader.load_fitted()
    images, labels = rows(pictures, before)
    assert (after.outputs(images).argmax(1) == labels).float().mean() > 0.97
    assert accuracy_with_a_cell_deleted(after, images, labels) > accuracy_with_a_cell_deleted(before, images, labels) + 0.05
    assert after.name == "mlp on arrays, in domain"


def test_single_deletion_runs_on_it_unchanged(pictures: Arrays) -> None:
    model = in_domain(pictures).load()
    images, labels = rows(pictures, model)
    truth, chance = (
        SingleDeletion(fill="white").score(model, images, labels, each.attribute(model, images, labels).values).values
        for each in (IntegratedGradients(baseline="white"), RandomMap())
    )
    assert truth.mean() > 0.8
    assert abs(chance.mean()) < 4 * chance.std() / N**0.5


def test_the_second_load_reads_the_weights_of_the_first(pictures: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = in_domain(pictures, training=TrainingConfig(epochs=1))
    first = loader.load()
    monkeypatch.setattr("heatproof.training.in_domain.fit", None)
    assert loader.load().digest == first.digest != loader.network.load().digest
    assert Loader.from_dict(loader.to_dict()) == loader


@pytest.mark.parametrize("fill", ["white", Uniform(), NearestNeighbour()], ids=str)
def test_about_half_of_the_images_lose_one_cell_another_one_in_each_epoch(pictures: Arrays, fill: object) -> None:
    loader = in_domain(pictures, fill=fill, groups=RegularGrid(cells_per_axis=2))
    model = loader.network.load()
    images, _ = rows(pictures, model)
    lost = []
    for epoch in (1, 2):
        changed = loader.deleted(model, images, epoch)
        assert torch.equal(loader.deleted(model, images[3:5], epoch), changed[3:5]), "whatever else is in the batch"
        cells = (changed != images).view(N, 2, 5, 2, 5).any(4).any(2).flatten(1)
        assert cells.sum(1).max() == 1
        assert N / 4 < cells.any(1).sum() < 3 * N / 4
        assert (cells.sum(0) > 1).all()
        lost.append(cells)
    assert not torch.equal(*lost)


def test_a_network_with_random_weights_is_refused(pictures: Arrays) -> None:
    with pytest.raises(SettingsError, match="network: expected one whose weights were trained"):
        in_domain(pictures, network=Toy())
