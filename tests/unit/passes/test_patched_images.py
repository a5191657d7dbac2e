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
    """Within the bounds of the networks here."""
    return zoo.normal(n, 3, side, side, seed=2, dtype=torch.float64).tanh()


def candidates(n: int = 3, p: int = 5, seed: int = 3) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 36, (n, 2), generator=draw), zoo.normal(n, p, 3, *SIZE, seed=seed, dtype=torch.float64)


def full(model: Model) -> PatchedImages:
    return PatchedImages(model.with_(incremental=False), photographs(), SIZE, **OFTEN)


def test_passes_are_counted_as_requested_and_in_work() -> None:
    model, (corner, rectangles) = network_model(), candidates()
    share = incremental(model, photographs(), SIZE).share
    with count_passes() as caching:
        patched = PatchedImages(model, photographs(), SIZE, **OFTEN)
    assert (caching.forward, caching.equivalent) == (0, 3)
    with count_passes() as computing:
        patched.outputs(corner, rectangles)
    assert computing.forward == 15
    assert 0.8 * 15 * share < computing.equivalent <= 15 * share  # less at the borders
    with count_passes() as keeping:
        patched.keep(torch.zeros(3, dtype=torch.long))
    assert (keeping.forward, keeping.equivalent) == (0, 0)  # their regions were collected
    many = candidates(p=40)
    with count_passes() as computing:
        patched.outputs(*many)
    with count_passes() as keeping:
        patched.keep(torch.zeros(3, dtype=torch.long))
    assert keeping.forward == 0
    assert computing.equivalent / 40 <= keeping.equivalent <= 3 * share  # stacked, regions have the size of the largest
    with count_passes() as in_full:
        full(model).outputs(corner, rectangles)
    assert in_full.forward == in_full.equivalent == 15


def test_the_share_is_that_of_the_operations_inside_the_affected_regions() -> None:
    plan = incremental(network_model(), photographs(), SIZE)
    multiplied = {0: 3 * 6 * 9, **dict.fromkeys(range(1, 9), 6 * 6 * 9)}  # a pixel, by layer
    cells = {n: min(40, 4 + 2 * (n + 1)) * min(40, 3 + 2 * (n + 1)) for n in multiplied}
    inside = sum(multiplied[n] * cells[n] for n in multiplied)
    assert plan.share == pytest.approx((inside + 18) / (sum(multiplied.values()) * 40**2 + 18), rel=1e-6)


def test_a_candidate_that_becomes_the_image_leaves_the_activations_of_a_new_clean_pass() -> None:
    model = network_model()
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is not None
    for p in (1, 5, 40):
        assert plan.collects_regions(p) == (p < 40)
        patched = PatchedImages(model, photographs(), SIZE, **OFTEN)
        for seed in range(4):
            patched.outputs(*candidates(p=p, seed=seed))
            patched.keep(torch.tensor([0, p - 1, p // 2]))
        anew = CachedImages(model, patched.images, plan, plan.replay, "a test").activations
        assert patched._cached is not None
        activations = patched._cached.activations
        assert activations.keys() == anew.keys()
        for number, tensors in anew.items():
            torch.testing.assert_close(torch.stack(activations[number]), torch.stack(tensors), rtol=1e-12, atol=1e-12)


def test_outputs_do_not_depend_on_the_chunk_or_on_batch_mates() -> None:
    corner, rectangles = candidates()
    expected = full(network_model()).outputs(corner, rectangles)
    for chunk in (1, 4, 100):
        patched = PatchedImages(network_model(chunk=chunk), photographs(), SIZE, **OFTEN)
        torch.testing.assert_close(patched.outputs(corner, rectangles), expected, rtol=1e-12, atol=1e-12)
    alone = PatchedImages(network_model(), photographs()[1:2], SIZE, **OFTEN).outputs(corner[1:2], rectangles[1:2])
    torch.testing.assert_close(alone, expected[1:2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("memory", [1_200_000, 800_000, 400_000])
def test_cached_activations_stay_within_their_share_of_the_memory(memory: int) -> None:
    free, model = network_model(), network_model(memory=memory)
    plan, most = incremental(model, photographs(), SIZE), incremental(free, photographs(), SIZE)
    assert most.cached_bytes > 700_000  # bytes per image; without a limit, all are cached
    assert 0 < plan.cached_bytes <= CACHE_SHARE * memory
    assert most.share < plan.share < 1
    corner, rectangles = candidates()
    outputs = PatchedImages(model, photographs(), SIZE, **OFTEN).outputs(corner, rectangles)
    torch.testing.assert_close(outputs, full(free).outputs(corner, rectangles), rtol=1e-12, atol=1e-12)


def test_without_memory_for_activations_full_passes_are_used() -> None:
    plan = incremental(network_model(memory=1000), photographs(), SIZE)
    assert plan.replay is None
    assert plan.reason == "nothing would be saved"


# --- networks that cannot be traced --------------------------------------------------------------------------------------


class Forgetful(Network):
    """Does other operations from a certain pass on."""

    passes, turn = 0, 10**9

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(x.abs() if self.passes > self.turn else x)


def test_a_network_whose_operations_change_is_computed_in_full_at_once() -> None:
    module = Forgetful()
    model = network_model(module)
    patched = PatchedImages(model, photographs(), SIZE, **OFTEN)
    corner, rectangles = candidates()
    before = patched.outputs(corner, rectangles)
    patched.keep(torch.full((3,), 2))
    module.turn = module.passes
    after = patched.outputs(corner, rectangles)
    assert "torch.Tensor.abs" in incremental(model, photographs(), SIZE).reason
    module.turn = 10**9
    plain = full(model)
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
def test_where_operations_are_not_seen_full_passes_are_used(build: Any, reason: str) -> None:
    module = build()
    model = Model(module.double().eval(), Bounds.of(-1, 1, 3))
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is None
    assert reason in plan.reason


def test_a_plan_says_why_full_passes_are_used() -> None:
    assert incremental(network_model(incremental=False), photographs(), SIZE).reason == "it was switched off"
    assert incremental(network_model(), photographs(), (41, 3)).reason == "there is no such rectangle"


def test_partial_recomputation_is_not_begun_where_it_would_not_pay() -> None:
    model = network_model()
    plan = incremental(model, photographs(), SIZE)
    assert plan.replay is not None
    assert plan.pays(3, 10_000, 10_000)
    assert not plan.pays(3, 1, 1)  # the pass that caches activations costs more than is saved
    assert not plan.pays(1, 1, 10_000)  # nor is this network large enough for one candidate at a time
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
    patched = PatchedImages(model, photographs(), SIZE, **OFTEN)
    corner, rectangles = candidates()
    patched.outputs(corner, rectangles)
    module.fails = True
    with pytest.raises(RuntimeError, match="on purpose"):
        patched.outputs(corner, rectangles)
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
    with count_passes() as partly:
        scores = metric.score(model, photographs(), target, maps)
    with count_passes() as in_full:
        expected = metric.score(model.with_(incremental=False), photographs(), target, maps)
    assert scores.curve is not None
    assert expected.curve is not None
    torch.testing.assert_close(scores.curve, expected.curve, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(scores.error, expected.error, rtol=1e-8, atol=1e-10, equal_nan=True)
    assert partly.forward == in_full.forward == in_full.equivalent
    assert partly.equivalent < 0.8 * partly.forward
    predicted = metric.work(model, photographs())
    assert 0.8 * predicted < partly.equivalent <= predicted
    assert metric.work(model.with_(incremental=False), photographs()) == in_full.equivalent


def test_images_go_through_in_groups_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_under_test, "STEP_FLOPS", 0.0)
    metric, maps, target = PerturbationCurve(side=4, regions=4, draws=6), photographs(), torch.tensor([0, 1, 2])
    small = network_model(memory=3_000_000)
    assert module_under_test.images_at_once(small, photographs(), (4, 4)) < 3
    expected = metric.score(network_model(incremental=False), photographs(), target, maps)
    torch.testing.assert_close(metric.score(small, photographs(), target, maps).values, expected.values, rtol=1e-10, atol=1e-10)


def test_only_candidates_whose_outputs_were_computed_can_be_kept() -> None:
    patched = PatchedImages(network_model(), photographs(), SIZE, **OFTEN)
    with pytest.raises(TensorError, match="keep: expected candidates"):
        patched.keep(torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(("corner", "size"), [((37, 0), SIZE), ((0, -1), SIZE), ((0, 0), (3, 3))])
def test_rectangles_of_another_size_or_beyond_the_image_are_refused(corner: tuple[int, int], size: tuple[int, int]) -> None:
    for model in (network_model(), network_model(incremental=False)):
        patched = PatchedImages(model, photographs(), SIZE, **OFTEN)
        with pytest.raises(TensorError, match="rectangles: expected"):
            patched.outputs(torch.tensor([corner] * 3), torch.zeros(3, 1, 3, *size, dtype=torch.float64))


# --- a corner for each candidate ------------------------------------------------------------------------------------------


def corners_of_candidates(n: int = 3, p: int = 5, seed: int = 3) -> Tensor:
    return torch.randint(0, 36, (n, p, 2), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("p", [1, 5, 40])
def test_each_candidate_can_have_a_corner_of_its_own(p: int) -> None:
    corners, (_, rectangles) = corners_of_candidates(p=p), candidates(p=p)
    patched, expected = PatchedImages(network_model(), photographs(), SIZE, **OFTEN), full(network_model())
    for _ in range(2):  # the second time, candidates have become the images
        torch.testing.assert_close(
            patched.outputs(corners, rectangles), expected.outputs(corners, rectangles), rtol=1e-10, atol=1e-10
        )
        for each in (patched, expected):
            each.keep(torch.tensor([0, p - 1, p // 2]))
        assert torch.equal(patched.images, expected.images)
    assert not torch.equal(patched.images, photographs())


def test_one_corner_per_image_is_the_same_as_that_corner_for_each_candidate() -> None:
    corner, rectangles = candidates()
    patched = PatchedImages(network_model(), photographs(), SIZE, **OFTEN)
    assert torch.equal(patched.outputs(corner, rectangles), patched.outputs(corner[:, None].expand(3, 5, 2), rectangles))


@pytest.mark.parametrize("p", [5, 20])
def test_candidates_do_not_depend_on_their_order_or_on_the_chunk(p: int) -> None:
    corners, (_, rectangles) = corners_of_candidates(p=p), candidates(p=p)
    expected = full(network_model()).outputs(corners, rectangles)
    order = torch.randperm(p, generator=torch.Generator().manual_seed(1))
    for chunk in (3, 100):
        patched = PatchedImages(network_model(chunk=chunk), photographs(), SIZE, **OFTEN)
        shuffled = patched.outputs(corners[:, order], rectangles[:, order])
        torch.testing.assert_close(shuffled, expected[:, order], rtol=1e-12, atol=1e-12)


def test_windows_of_one_image_cost_their_share_of_a_pass() -> None:
    model, places = network_model(), torch.arange(0, 37, 4)
    share = incremental(model, photographs(), SIZE).share
    corners = torch.cartesian_prod(places, places)[None]
    patched = PatchedImages(model, photographs(1), SIZE, candidates=100, times=10_000)
    with count_passes() as passes:
        patched.outputs(corners, torch.zeros(1, 100, 3, *SIZE, dtype=torch.float64))
    assert passes.forward == 100
    assert 0.8 * 100 * share < passes.equivalent <= 100 * share


@pytest.mark.parametrize(
    ("corners", "rectangles", "message"),
    [
        ((3, 3), (3, 5, 3, 4, 3), r"corners: expected integers of shape \[3, 2\], or \[3, 5, 2\]"),
        ((3, 4, 2), (3, 5, 3, 4, 3), r"got int64 of shape \[3, 4, 2\]"),
        ((3, 2), (3, 5, 3, 3, 4), r"rectangles: expected shape \[3, p, 3, 4, 3\]"),
        ((3, 2), (2, 5, 3, 4, 3), r"got \[2, 5, 3, 4, 3\]"),
        ((3, 2), (3, 0, 3, 4, 3), r"with p ≥ 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(corners: tuple[int, ...], rectangles: tuple[int, ...], message: str) -> None:
    patched = full(network_model())
    with pytest.raises(TensorError, match=message):
        patched._checked_corners(torch.zeros(corners, dtype=torch.long), torch.zeros(rectangles, dtype=torch.float64))


@pytest.mark.parametrize("corner", [[-1, 0], [37, 0], [0, 38]])
def test_a_rectangle_beyond_its_image_is_refused_with_its_corner(corner: list[int]) -> None:
    corners, (_, rectangles) = corners_of_candidates(), candidates()
    corners[1, 2] = torch.tensor(corner)
    with pytest.raises(TensorError, match=rf"inside \[40, 40\], got \[4, 3\] from \[{corner[0]}, {corner[1]}\] on"):
        full(network_model()).outputs(corners, rectangles)


@pytest.mark.parametrize("candidate", [[0, 1, 5], [0, -1, 0], [0, 1]])
def test_a_candidate_that_does_not_exist_cannot_be_kept(candidate: list[int]) -> None:
    patched = full(network_model())
    patched.outputs(*candidates())
    with pytest.raises(TensorError, match="candidate: expected 3 indices from 0 to 4"):
        patched.keep(torch.tensor(candidate))
