"""Sanity checks and similarity under change against their slow twins, with weights replaced in place, by hand."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor, nn

from heatproof.core.seeds import derive, seed_of
from heatproof.methods import Gradient
from heatproof.metrics import CosineConvergence, EfficientMprt, ParameterRandomisation, RandomLogit, SimilarityUnderChange
from heatproof.metrics.explain import bound
from heatproof.models import Model
from heatproof.perturb.changes import AddedNoise
from heatproof.perturb.draws import Draws
from tests.references import sanity as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TARGET = torch.tensor([0, 2])
LAYERS = ["2", "5", "8"]


@pytest.fixture(scope="module")
def model() -> Model:
    layers = [nn.Identity(), nn.Identity(), nn.Conv2d(3, 6, 3), nn.SiLU(), nn.Identity(), nn.Conv2d(6, 4, 3), nn.SiLU()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 4))
    return zoo.model(zoo.filled(network, 5), dtype=torch.float64)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return zoo.images(2, dtype=torch.float64)


def gradient(network: nn.Module, image: Tensor, target: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    x = image[None].clone().requires_grad_()
    network(x)[0, target].backward()
    assert x.grad is not None
    return x.grad[0].numpy()


def replaced(network: nn.Module, names: list[str], seed: int) -> nn.Module:
    """The initialisers called one by one, on a float32 layer."""
    other = copy.deepcopy(network)
    for name in names:
        layer = copy.deepcopy(other.get_submodule(name)).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(derive(seed, name)))
            layer.reset_parameters()
        other.get_submodule(name).load_state_dict({key: value.double() for key, value in layer.state_dict().items()})
    return other


def nth_seed(seed: int, k: int) -> int:
    return seed_of(derive(seed, "randomisation", k))


@twin_of("parameter_randomisation")
@pytest.mark.parametrize("entries", ["signed", "absolute"])
@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_parameter_randomisation(model: Model, images: Tensor, order: str, entries: str) -> None:
    metric = ParameterRandomisation(order=order, entries=entries)
    found = metric.score(model, images, TARGET, bound(Gradient(), model), seed=4)
    parts = {
        "top_down": [LAYERS[i:] for i in (2, 1, 0)],
        "bottom_up": [LAYERS[: i + 1] for i in range(3)],
        "independent": [[name] for name in LAYERS[::-1]],
    }
    for i, image in enumerate(images):
        clean = gradient(model.module, image, int(TARGET[i]))
        others = [gradient(replaced(model.module, part, nth_seed(4, 0)), image, int(TARGET[i])) for part in parts[order]]
        value, each = slow.cascade(clean, others, absolute=entries == "absolute")
        assert found.values[i].item() == pytest.approx(value, abs=1e-9)
        assert found.curve is not None
        assert found.curve[i].tolist() == pytest.approx([1.0, *each], abs=1e-9)


@twin_of("efficient_mprt")
def test_efficient_mprt(model: Model, images: Tensor) -> None:
    found = EfficientMprt(draws=2, bins=12).score(model, images, TARGET, bound(Gradient(), model), seed=4)
    for i, image in enumerate(images):
        others = [gradient(replaced(model.module, LAYERS, nth_seed(4, k)), image, int(TARGET[i])) for k in range(2)]
        expected = slow.rise(gradient(model.module, image, int(TARGET[i])), others, 12)
        assert found.values[i].item() == pytest.approx(expected, abs=1e-9)


@twin_of("random_logit")
def test_random_logit_is_of_another_class_each_as_likely(model: Model, images: Tensor) -> None:
    many = images[:1].expand(200, -1, -1, -1) + torch.arange(200.0, dtype=torch.float64).view(-1, 1, 1, 1) / 1000
    asked: list[Tensor] = []
    explain = bound(Gradient(), model)

    def watching(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> object:
        asked.append(target)
        return explain(at, target, seed, other)

    found = RandomLogit().score(model, many, 2, watching, seed=4)
    counts = torch.bincount(asked[1], minlength=4).tolist()
    assert counts[2] == 0
    assert min(counts[0], counts[1], counts[3]) > 45
    for i in (0, 17):
        maps = [gradient(model.module, many[i], int(target[i])) for target in asked]
        assert found.values[i].item() == pytest.approx(slow.rank_similarity(*maps, absolute=False), abs=1e-9)


@twin_of("cosine_convergence")
@pytest.mark.parametrize("n", [3, 4], ids=["3 pairs", "6 pairs"])
def test_cosine_convergence_is_the_median_over_pairs(model: Model, images: Tensor, n: int) -> None:
    found = CosineConvergence(directions=n).score(model, images, TARGET, bound(Gradient(), model), seed=4)
    generator = torch.Generator().manual_seed(seed_of(derive(4, "directions of the output")))
    directions = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    for i, image in enumerate(images):
        each = [gradient(model.module, image, k) for k in range(4)]
        maps = [sum(float(v[k]) * each[k] for k in range(4)) for v in directions]
        assert found.values[i].item() == pytest.approx(slow.convergence(maps), abs=1e-9)


@twin_of("similarity_under_change")
def test_similarity_under_change(model: Model, images: Tensor) -> None:
    levels = (0.1, 0.3)
    metric = SimilarityUnderChange(change=AddedNoise(distribution="one_sided_uniform"), levels=levels, channels="each")
    found = metric.score(model, images, TARGET, bound(Gradient(), model), seed=4)
    lower, upper = (limit.view(3, 1, 1).double() for limit in (model.bounds.lower, model.bounds.upper))
    noise = Draws.for_images(4, images).uniform("added noise", 0, images.shape[1:])
    for i, image in enumerate(images):
        changed = [image + level * (upper - lower) * noise[i] for level in levels]
        expected = slow.under_change(
            gradient(model.module, image, int(TARGET[i])),
            lambda at, i=i: gradient(model.module, at, int(TARGET[i])),
            changed,
            lambda a, b: float(kendalltau(a.ravel(), b.ravel()).statistic),
        )
        assert found.curve is not None
        assert_close(found.curve[i], torch.tensor(expected, dtype=torch.float64), 1e-9)
