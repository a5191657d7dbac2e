"""Controls, deep Taylor decomposition, and the metrics of a method's own promises, against slow twins: one image at a time."""

import hashlib

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.core.seeds import derive, seed_of
from heatproof.methods import ConstantMap, DeepTaylor, InputMap, InputXGradient, IntegratedGradients, RandomMap, SmoothTaylor
from heatproof.metrics import Completeness, DataRandomisation, Repeatability
from heatproof.metrics.explain import bound
from heatproof.models.loaders import Toy
from heatproof.numerics.quadrature import RightRiemann
from heatproof.perturb.fills import Black
from tests.references import relevance as slow_relevance
from tests.references.gradients import gradient
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TARGET = 1


@twin_of("constant_map", "input_map")
def test_a_constant_map_is_one_everywhere_and_an_input_map_is_the_image() -> None:
    images = zoo.images(2)
    model = zoo.model(zoo.residual())
    assert ConstantMap().attribute(model, images, 0).values.flatten().tolist() == [1.0] * images.numel()
    assert InputMap().attribute(model, images, 0).values.flatten().tolist() == images.flatten().tolist()
    for first, last in [(0, 0), (1, 2), (2, None)]:
        shown = [c for c in range(images.shape[1]) if first <= c <= (images.shape[1] - 1 if last is None else last)]
        values = InputMap(first=first, last=last).attribute(model, images, 0).values
        assert values[:, shown].tolist() == images[:, shown].tolist()
        assert values.count_nonzero() == images[:, shown].count_nonzero()
    with pytest.raises(TensorError, match="expected channels between 0 and 2, got 2 to 1"):
        InputMap(first=2, last=1).attribute(model, images, 0)


@twin_of("random_map")
def test_a_random_map_is_drawn_from_the_seed_the_image_the_network_and_the_class() -> None:
    network, images = zoo.residual(), zoo.images(2)
    state = hashlib.sha256()
    for tensor in network.state_dict().values():
        first = tensor.flatten()[:16].to(torch.float32)
        state.update(str(tuple(tensor.shape)).encode() + first.numpy().tobytes())
    stream = f"random map of {state.hexdigest()[:32]}"
    values = RandomMap().attribute(zoo.model(network), images, [2, 3], seed=5).values
    for image, target, row in zip(images, (2, 3), values, strict=True):
        digest = hashlib.sha256(str(tuple(image.shape)).encode() + image.numpy().tobytes()).digest()
        key = derive(derive(derive(5, digest), stream, target), "random map", 0)
        assert torch.equal(row, torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(seed_of(key))))


@twin_of("deep_taylor")
@pytest.mark.parametrize("bounded", [True, False])
def test_deep_taylor_is_z_plus_above_and_z_box_or_w_square_below(bounded: bool) -> None:
    network = zoo.filled(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), seed=3, scale=2).double()
    model, rows = zoo.model(network, channels=5, dtype=torch.float64), zoo.normal(3, 5, seed=4, dtype=torch.float64).tanh()
    maps = DeepTaylor(bounded=bounded).attribute(model, rows, TARGET).values
    below, above = network[0].weight.detach(), network[2].weight.detach()
    for x, row in zip(rows, maps, strict=True):
        hidden = network[1](network[0](x)).detach()
        score = torch.zeros(3, dtype=torch.float64)
        score[TARGET] = network(x)[TARGET].detach()
        relevance = slow_relevance.z_plus(hidden, above, torch.zeros(3, dtype=torch.float64), score)
        if bounded:
            expected = slow_relevance.z_box(x, below, relevance, -torch.ones_like(x), torch.ones_like(x))
        else:
            expected = slow_relevance.w_square(x, below, relevance)
        assert_close(row, expected, 1e-5)


@twin_of("completeness")
@pytest.mark.parametrize("baseline", [None, Black()], ids=["own sum", "from black"])
def test_completeness_is_the_share_of_the_difference_that_the_sum_misses(baseline: Black | None) -> None:
    model, images = zoo.model(zoo.residual().eval(), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    steps = 3

    def f(x: Tensor) -> Tensor:
        return model.module(x[None])[0, TARGET]

    method = IntegratedGradients(quadrature=RightRiemann(steps=steps)) if baseline is None else InputXGradient()
    gaps = Completeness(baseline=baseline).score(model, images, TARGET, bound(method, model)).values
    for x, gap in zip(images, gaps.tolist(), strict=True):
        black = model.bounds.lower.double().view(3, 1, 1).expand_as(x)
        promised = float((f(x) - f(black)).detach())
        if baseline is None:
            total = sum(
                float(((x - black) * gradient(f, black + k / steps * (x - black))).sum()) / steps for k in range(1, steps + 1)
            )
        else:
            total = float((x * gradient(f, x)).sum())
        assert gap == pytest.approx(abs(total - promised) / abs(promised), rel=1e-9)


@twin_of("repeatability")
@pytest.mark.parametrize(("similarity", "correlation"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_repeatability_is_the_correlation_of_the_maps_of_two_seeds(similarity: str, correlation: object) -> None:
    model, images = zoo.model(zoo.residual(), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    method, rho = SmoothTaylor(samples=40), 0.8
    scores = Repeatability(similarity=similarity, reliability=rho).score(model, images, TARGET, bound(method, model), seed=4)
    for i in range(2):
        once, again = (method.attribute(model, images, TARGET, seed=seed).values[i].sum(0).flatten().numpy() for seed in (4, 5))
        r = float(correlation(once, again).statistic)
        assert scores.values[i].item() == pytest.approx(r, abs=1e-9)
        times = scores.components["samples_factor"][i].item()
        if r > 0:
            assert times * r / (1 + (times - 1) * r) == pytest.approx(rho, rel=1e-9)
        else:
            assert np.isnan(times)


@twin_of("data_randomisation")
def test_data_randomisation_is_the_rank_correlation_of_two_networks() -> None:
    model, images = zoo.model(zoo.residual(), dtype=torch.float64), zoo.images(2, side=24, dtype=torch.float64)
    loader = Toy(architecture="three_blocks", side=24, channels=3, classes=4, width=0.3)
    found = DataRandomisation(other=loader).score(model, images, TARGET, bound(InputXGradient(), model)).values
    other = loader.load().module.double().eval()
    for x, value in zip(images, found.tolist(), strict=True):
        maps = [(x * gradient(lambda at, n=n: n(at[None])[0, TARGET], x)).abs().sum(0) for n in (model.module.eval(), other)]
        assert value == pytest.approx(float(spearmanr(*(m.flatten().numpy() for m in maps)).statistic), abs=1e-9)
