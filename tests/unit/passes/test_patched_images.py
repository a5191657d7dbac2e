"""Images with one replaced rectangle: what they cost, what is cached, and when full forward passes are used."""

import copy
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.metrics import PerturbationCurve
from heatproof.models import Bounds, Model
from heatproof.passes import incremental as module_under_test
from heatproof.passes.cached_images import CachedImages
from heatproof.passes.counting import count_passes
from heatproof.passes.incremental import CACHE_SHARE, incremental
from heatproof.passes.patched_images import PatchedImages
from heatproof.perturb.fills import Black, Blurred, Fill, Uniform
from tests.support import zoo

OFTEN = {"candidates": 10_000, "times": 10_000}
SIZE = (4, 3)


class Network(nn.Module):
    """Eight convolutions of 3 × 3 with a residual connection each, means, three classes."""

    def __init__(self, depth: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1) for _ in range(depth))
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = x + F.relu(layer(x), inplace=True)
        return self.last(x.mean((2, 3)))


def network_model(module: nn.Module | None = None, **facts: Any) -> Model:
    module = zoo.filled(Network() if module is None else module, 1).double().eval()
    return Model(module, Bounds.of(-1, 1, 3), **facts)


def photographs(n: int = 3, side: int = 40) -> Tensor:
    return zoo.normal(n, 3, side, side, seed=2, dtype=torch.float64)


def candidates(n: int = 3, p: int = 5, seed: int = 3) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 36, (n, 2), generator=draw), zoo.normal(n, p, 3, *SIZE, seed=seed, dtype=torch.float64)


def whole(model: Model) -> PatchedImages:
    return PatchedImages(model.with_(incremental=False), photographs(), SIZE, **OFTEN)


def test_rows_are_counted_as_asked_for_and_in_work() -> None:
    model, (corner, rectangles) = network_model(), candidates()
    share = incremental(model, photographs(), SIZE).share
    with count_passes() as kept:
        way = PatchedImages(model, photographs(), SIZE, **OFTEN)
    assert (kept.forward, kept.equivalent) == (0, 3)
    with count_passes() as answered:
        way.outputs(corner, rectangles)
    assert answered.forward == 15
    assert 0.8 * 15 * share < answered.equivalent <= 15 * share  # less at the borders
    with count_passes() as carried:
        way.keep(torch.zeros(3, dtype=torch.long))
    assert (carried.forward, carried.equivalent) == (0, 0)  # remembered
    many = candidates(p=40)
    with count_passes() as answered:
        way.outputs(*many)
    with count_passes() as carried:
        way.keep(torch.zeros(3, dtype=torch.long))
    assert carried.forward == 0
    assert answered.equivalent / 40 <= carried.equivalent <= 3 * share  # stacked, parts are those of the place that needs most
    with count_passes() as in_full:
        whole(model).outputs(corner, rectangles)
    assert in_full.forward == in_full.equivalent == 15


def test_the_share_is_that_of_the_operations_inside_the_rectangles_reach() -> None:
    plan = incremental(network_model(), photographs(), SIZE)
    multiplied = {0: 3 * 6 * 9, **dict.fromkeys(range(1, 9), 6 * 6 * 9)}  # a pixel, by layer
    cells = {n: min(40, 4 + 2 * (n + 1)) * min(40, 3 + 2 * (n + 1)) for n in multiplied}
    inside = sum(multiplied[n] * cells[n] for n in multiplied)
    assert plan.share == pytest.approx((inside + 18) / (sum(multiplied.values()) * 40**2 + 18), rel=1e-6)


def test_a_candidate_that_becomes_the_image_leaves_what_a_new_clean_pass_would() -> None:
    model = network_model()
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is not None
    for p in (1, 5, 40):
        assert plan.collects_regions(p) == (p < 40)
        way = PatchedImages(model, photographs(), SIZE, **OFTEN)
        for seed in range(4):
            way.outputs(*candidates(p=p, seed=seed))
            way.keep(torch.tensor([0, p - 1, p // 2]))
        anew = CachedImages(model, way.images, plan, plan.replay, "a test").activations
        assert way._cached is not None
        kept = way._cached.activations
        assert kept.keys() == anew.keys()
        for number, tensors in anew.items():
            torch.testing.assert_close(torch.stack(kept[number]), torch.stack(tensors), rtol=1e-12, atol=1e-12)


def test_outputs_do_not_depend_on_the_chunk_or_on_batch_mates() -> None:
    corner, rectangles = candidates()
    expected = whole(network_model()).outputs(corner, rectangles)
    for chunk in (1, 4, 100):
        way = PatchedImages(network_model(chunk=chunk), photographs(), SIZE, **OFTEN)
        torch.testing.assert_close(way.outputs(corner, rectangles), expected, rtol=1e-12, atol=1e-12)
    alone = PatchedImages(network_model(), photographs()[1:2], SIZE, **OFTEN).outputs(corner[1:2], rectangles[1:2])
    torch.testing.assert_close(alone, expected[1:2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("memory", [1_200_000, 800_000, 400_000])
def test_what_is_kept_stays_within_its_share_of_the_memory(memory: int) -> None:
    free, model = network_model(), network_model(memory=memory)
    plan, most = incremental(model, photographs(), SIZE), incremental(free, photographs(), SIZE)
    assert most.cached_bytes > 700_000  # bytes an image; without a limit, all is kept
    assert 0 < plan.cached_bytes <= CACHE_SHARE * memory
    assert most.share < plan.share < 1
    corner, rectangles = candidates()
    found = PatchedImages(model, photographs(), SIZE, **OFTEN).outputs(corner, rectangles)
    torch.testing.assert_close(found, whole(free).outputs(corner, rectangles), rtol=1e-12, atol=1e-12)


def test_without_memory_to_keep_anything_rows_pass_as_a_whole() -> None:
    plan = incremental(network_model(memory=1000), photographs(), SIZE)
    assert plan.replay is None
    assert plan.reason == "nothing would be saved"


# --- networks that cannot be followed -------------------------------------------------------------------------------------


class Forgetful(Network):
    """Does other operations from a certain pass on."""

    passes, turn = 0, 10**9

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(x.abs() if self.passes > self.turn else x)


def test_a_network_that_changes_its_ways_is_given_up_on_the_spot() -> None:
    module = Forgetful()
    model = network_model(module)
    way = PatchedImages(model, photographs(), SIZE, **OFTEN)
    corner, rectangles = candidates()
    before = way.outputs(corner, rectangles)
    way.keep(torch.full((3,), 2))
    module.turn = module.passes
    after = way.outputs(corner, rectangles)
    assert "torch.Tensor.abs" in incremental(model, photographs(), SIZE).reason
    module.turn = 10**9
    plain = whole(model)
    plain.outputs(corner, rectangles)
    plain.keep(torch.full((3,), 2))
    module.turn = 0
    assert torch.equal(after, plain.outputs(corner, rectangles))
    assert not torch.equal(after, before)


class Noisy(Network):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.rand(len(x), 1, dtype=x.dtype)


class Hidden(Network):
    """Reads the memory of its input where no operation is seen."""

    def forward(self, x: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction():
            return super().forward(x.clone())


def scripted() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # torch announces the end of scripts
        return torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(3 * 38 * 38, 2)).double())


def compiled() -> nn.Module:
    return torch.compile(Network())  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (Noisy, "outputs would differ"),
        (Hidden, "nothing would be saved"),
        (scripted, "ScriptModule"),
        (compiled, "compiled operations"),
    ],
)
def test_where_operations_are_not_seen_rows_pass_as_a_whole(build: Any, reason: str) -> None:
    module = build()
    model = Model(module.double().eval(), Bounds.of(-1, 1, 3))
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is None
    assert reason in plan.reason


def test_switched_off_it_says_so() -> None:
    assert incremental(network_model(incremental=False), photographs(), SIZE).reason == "it was switched off"
    assert incremental(network_model(), photographs(), (41, 3)).reason == "there is no such rectangle"


def test_what_would_not_pay_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network_model()
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is not None
    assert plan.pays(3, 10_000, 10_000)
    assert not plan.pays(3, 1, 1)  # the pass that keeps things costs more than is spared
    assert not plan.pays(1, 1, 10_000)  # nor is this network large enough for one row at a time
    with count_passes() as passes:
        PatchedImages(model, photographs(), SIZE, candidates=1, times=1)
    assert passes.equivalent == 0


def test_the_network_is_left_as_it_was_also_after_an_exception() -> None:
    class Failing(Network):
        fails = False

        def forward(self, x: Tensor) -> Tensor:
            if self.fails:
                raise RuntimeError("on purpose")
            return super().forward(x)

    module = Failing().train()
    model = network_model(module)
    module.train()
    before = copy.deepcopy(module.state_dict())
    way = PatchedImages(model, photographs(), SIZE, **OFTEN)
    corner, rectangles = candidates()
    way.outputs(corner, rectangles)
    module.fails = True
    with pytest.raises(RuntimeError, match="on purpose"):
        way.outputs(corner, rectangles)
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(child._forward_hooks or child._forward_pre_hooks for child in module.modules())


# --- the perturbation curve -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [Uniform(), Black(), Blurred()], ids=lambda fill: fill.name)
@pytest.mark.parametrize("carry", ["median", "random"])
def test_the_perturbation_curve_is_the_same(fill: Fill, carry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_under_test, "STEP_FLOPS", 0.0)
    metric = PerturbationCurve(side=5, regions=6, draws=8 if fill.stochastic else None, fill=fill, carry=carry)
    maps = photographs()
    model = network_model()
    target = torch.tensor([0, 1, 2])
    with count_passes() as fewer:
        found = metric.score(model, photographs(), target, maps)
    with count_passes() as all_of_them:
        expected = metric.score(model.with_(incremental=False), photographs(), target, maps)
    assert found.curve is not None
    assert expected.curve is not None
    torch.testing.assert_close(found.curve, expected.curve, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.error, expected.error, rtol=1e-8, atol=1e-10, equal_nan=True)
    assert fewer.forward == all_of_them.forward == all_of_them.equivalent
    assert fewer.equivalent < 0.8 * fewer.forward
    foretold = metric.work(model, photographs())
    assert 0.8 * foretold < fewer.equivalent <= foretold
    assert metric.work(model.with_(incremental=False), photographs()) == all_of_them.equivalent


def test_images_go_through_in_groups_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_under_test, "STEP_FLOPS", 0.0)
    metric, maps, target = PerturbationCurve(side=4, regions=4, draws=6), photographs(), torch.tensor([0, 1, 2])
    small = network_model(memory=3_000_000)
    assert module_under_test.images_at_once(small, photographs(), (4, 4)) < 3
    expected = metric.score(network_model(incremental=False), photographs(), target, maps)
    torch.testing.assert_close(metric.score(small, photographs(), target, maps).values, expected.values, rtol=1e-10, atol=1e-10)


def test_only_candidates_that_were_asked_for_can_be_kept() -> None:
    way = PatchedImages(network_model(), photographs(), SIZE, **OFTEN)
    with pytest.raises(TensorError, match="keep: expected candidates"):
        way.keep(torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(("corner", "size"), [((37, 0), SIZE), ((0, -1), SIZE), ((0, 0), (3, 3))])
def test_rectangles_of_another_size_or_beyond_the_image_are_refused(corner: tuple[int, int], size: tuple[int, int]) -> None:
    for model in (network_model(), network_model(incremental=False)):
        way = PatchedImages(model, photographs(), SIZE, **OFTEN)
        with pytest.raises(TensorError, match="rectangles: expected"):
            way.outputs(torch.tensor([corner] * 3), torch.zeros(3, 1, 3, *size, dtype=torch.float64))
