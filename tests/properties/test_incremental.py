"""Outputs of images with one replaced rectangle are the same by partial recomputation and by full forward passes."""

import re
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from timm import create_model
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.maxvit import MaxVit

from heatproof.models import Bounds, Model
from heatproof.models.loaders import load_model
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.incremental import incremental
from heatproof.passes.memory import ENOUGH_ROWS
from heatproof.passes.patched_images import PatchedImages
from tests.support import zoo

OFTEN = {"candidates": 10_000, "times": 10_000}
"""So often that it pays on the smallest network."""
CHANNELS = 4


def outputs_of_both(model: Model, images: Tensor, size: tuple[int, int], seed: int, few: int = 3) -> list[tuple[Tensor, Tensor]]:
    """Outputs by partial recomputation and by full forward passes, three times, each time after candidates became the images.

    At first each candidate has a corner of the image, then all candidates of an image have one random place. The second time there
    are `few` candidates: from `ENOUGH_ROWS` on, images run one by one.
    """
    h, w = images.shape[2:]
    draw = torch.Generator().manual_seed(seed)
    both = [PatchedImages(one, images, size, **OFTEN) for one in (model, model.with_(incremental=False))]
    bottom, right = last = (h - size[0], w - size[1])
    corners = [
        torch.tensor([[[0, 0], [0, right], last], [[bottom, 0], [0, 0], last]]),
        *(torch.stack([torch.randint(0, most + 1, (2,), generator=draw) for most in last], 1) for _ in range(2)),
    ]
    outputs = []
    for corner, p in zip(corners, (3, few, 3), strict=True):
        rectangles = 3 * torch.randn(2, p, images.shape[1], *size, generator=draw, dtype=torch.float64).to(images.dtype)
        outputs.append(tuple(patched.outputs(corner, rectangles) for patched in both))
        for patched in both:
            patched.keep(torch.tensor([1, 2]))
    return outputs


def check(model: Model, images: Tensor, size: tuple[int, int], seed: int, limit: float, *, seen: bool = True, few: int = 3) -> None:
    """Both are equal up to rounding; and, if rectangles can be seen at all, candidates differ by much more than that."""
    gaps, spreads = [], []
    for partly, full in outputs_of_both(model, images, size, seed, few):
        assert torch.isfinite(full).all()
        gaps.append(float((partly - full).abs().max() / full.abs().max()))
        spreads.append(float((full[:, 0] - full[:, 1]).abs().max() / full.abs().max()))
    assert max(gaps) <= limit
    assert not seen or max(spreads) > 10 * max(gaps)


# --- operations -----------------------------------------------------------------------------------------------------------


class Around(nn.Module):
    """A convolution, the operation, and all values that come out."""

    def __init__(self, operation: Callable[[Tensor], Tensor], layers: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.layers, self.operation = nn.Conv2d(2, CHANNELS, 3, padding=1), layers, operation

    def forward(self, x: Tensor) -> Tensor:
        return self.operation(self.first(x)).flatten(1)


def layer(module: nn.Module) -> nn.Module:
    return Around(module, module)


small = partial(st.integers, 0)


@st.composite
def convolutions(draw: st.DrawFn) -> nn.Module:
    kernel, stride, dilation = (draw(st.tuples(st.integers(1, most), st.integers(1, most))) for most in (4, 3, 2))
    groups = draw(st.sampled_from([1, 2, CHANNELS]))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "circular"]))
    padding: Any = draw(st.tuples(small(2), small(2)))
    if stride == (1, 1):
        padding = draw(st.sampled_from([padding, "same", "valid"]))
    return layer(nn.Conv2d(CHANNELS, 4, kernel, stride, padding, dilation, groups, padding_mode=mode))


@st.composite
def transposed(draw: st.DrawFn) -> nn.Module:
    kernel, dilation = (draw(st.tuples(st.integers(1, most), st.integers(1, most))) for most in (4, 2))
    stride = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = tuple(draw(small(min(2, k - 1))) for k in kernel)
    more = tuple(draw(small(max(0, max(s, d) - 1))) for s, d in zip(stride, dilation, strict=True))
    groups = draw(st.sampled_from([1, 2]))
    return layer(nn.ConvTranspose2d(CHANNELS, 4, kernel, stride, padding, more, groups, dilation=dilation))


@st.composite
def pools(draw: st.DrawFn) -> nn.Module:
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding, up = draw(small(kernel // 2)), draw(st.booleans())
    kind = draw(st.sampled_from(["max", "mean", "adaptive mean", "adaptive max"]))
    if kind == "max":
        return layer(nn.MaxPool2d(kernel, stride, padding, draw(st.integers(1, 2)), ceil_mode=up))
    if kind == "mean":
        divisor = draw(st.sampled_from([None, None, 3]))
        return layer(nn.AvgPool2d(kernel, stride, padding, up, draw(st.booleans()), divisor))
    grid = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    return layer(nn.AdaptiveAvgPool2d(grid) if kind == "adaptive mean" else nn.AdaptiveMaxPool2d(grid))


@st.composite
def interpolations(draw: st.DrawFn) -> nn.Module:
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    size = draw(st.one_of(st.tuples(st.integers(5, 30), st.integers(5, 30)), st.none()))
    factor = None if size else draw(st.sampled_from([2, 3, 0.5, 1.7]))
    align = draw(st.booleans()) if mode in ("bilinear", "bicubic") else None
    return Around(lambda x: F.interpolate(x, size, factor, mode, align))


def shuffle(x: Tensor) -> Tensor:
    b, c, h, w = x.size()
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).contiguous().view(b, c, h, w)


def in_place(x: Tensor) -> Tensor:
    y = x * 2
    y += x
    y.clamp_(-1, 2)
    return F.relu(y, inplace=True) - F.hardtanh(x, -0.5, 0.5)


def through_a_view(x: Tensor) -> Tensor:
    y = x + 1
    y[:, 1:].mul_(3)
    y.view(len(y), -1).relu_()
    return y


def in_place_in_full(x: Tensor) -> Tensor:
    y = x.clone()
    y *= x.mean((2, 3), keepdim=True)
    y[:, 0] = 7
    return y + x


class Cubed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, 1, 1) ** 3


def branches(x: Tensor) -> Tensor:
    wide = F.max_pool2d(x, (5, 3), 1, (2, 1))
    one, two = wide.chunk(2, 1)
    both = torch.cat([one, F.avg_pool2d(x, 3, 1, 1), two[:, :1], x[:, None].mean(1)], 1)
    return both.softmax(1) / both.amax(1, keepdim=True)


def channels_last(x: Tensor) -> Tensor:
    y = F.layer_norm(x.permute(0, 2, 3, 1), (CHANNELS,))
    mixed = F.linear(y, torch.arange(6.0 * CHANNELS, dtype=x.dtype).view(6, CHANNELS).sin())
    return (mixed.tanh() + y.square().mean(3, keepdim=True)).permute(0, 3, 1, 2)


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "branches": branches,
    "channels last": channels_last,
    "shuffled channels": shuffle,
    "in place": in_place,
    "in place, through a view": through_a_view,
    "in place, in full": in_place_in_full,
    "its own autograd.Function": Cubed.apply,
    "padding": lambda x: F.pad(F.pad(x, (1, 0, 2, 3, 0, 1), value=-1.5), (-2, 1, 1, -1)),
    "reflection": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    "constants": lambda x: x * torch.arange(4.0, dtype=x.dtype).view(4, 1, 1) + torch.arange(x.shape[-1]) / 9,
    "squeeze-excite": lambda x: F.max_pool2d(x, 3, 1) * F.adaptive_avg_pool2d(x, 1).sigmoid()[:, :, :1],
    "local response": lambda x: F.local_response_norm(x, 3),
    "group norm": lambda x: F.group_norm(F.max_pool2d(x, 3, 1), 2),
    "rolled": lambda x: F.max_pool2d(x, 3, 1).roll(2, 3),
    "turned": lambda x: F.avg_pool2d(x, (3, 1), (2, 1)).transpose(2, 3),
    "swapped by name": lambda x: torch.swapaxes(F.avg_pool2d(x, (3, 1), (2, 1)), axis0=2, axis1=3),
    "Fourier": lambda x: torch.fft.rfft2(x).abs(),
    "sorted": lambda x: x.sort(3).values + x,
    "unfolded": lambda x: F.unfold(x, 3, padding=1),
    "indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "depends on values": lambda x: x.relu() if x.mean() > 0 else x,
    "slopes": lambda x: F.prelu(x, torch.linspace(0, 1, CHANNELS, dtype=x.dtype)),
    "halves": lambda x: F.glu(x, 1).sigmoid() * F.silu(F.dropout(x[:, :1], 0.5, False)),
    "no batch of its own": lambda x: torch.stack([row.exp() for row in x]),
}


def small_model(module: nn.Module, dtype: torch.dtype = torch.float64) -> Model:
    return Model(zoo.filled(module, 3).to(dtype).eval(), Bounds.of(-1, 1, 2))


def small_images(h: int, w: int) -> Tensor:
    return zoo.normal(2, 2, h, w, seed=h * w, dtype=torch.float64)


rectangles = st.tuples(st.integers(1, 6), st.integers(1, 6))
sides = st.tuples(st.integers(10, 17), st.integers(10, 17))


@pytest.mark.slow
@settings(max_examples=150)
@given(st.one_of(convolutions(), transposed(), pools(), interpolations()), sides, rectangles, small(99))
def test_any_sliding_or_resampling_operation_at_any_place(
    module: nn.Module, side: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    check(small_model(module), small_images(*side), size, seed, 1e-10, seen=False, few=ENOUGH_ROWS)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=6)
@given(sides, rectangles, small(99))
def test_any_operation_runs_on_regions_or_in_full(name: str, side: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    check(small_model(Around(OPERATIONS[name])), small_images(*side), size, seed, 1e-10, few=ENOUGH_ROWS)


LOCAL = ["branches", "channels last", "shuffled channels", "in place", "padding", "local response", "slopes", "halves"]


@pytest.mark.parametrize("name", LOCAL)
def test_operations_that_read_one_place_at_a_time_run_on_regions(name: str) -> None:
    plan = incremental(small_model(Around(OPERATIONS[name])), small_images(16, 17), (3, 2))
    assert plan.replay is not None
    assert [step.share is None for step in plan.replay.steps] == [False] * (len(plan.replay.steps) - 1) + [True]  # but for flatten


# --- networks -------------------------------------------------------------------------------------------------------------

FAMILIES = {
    "alexnet": 64, "vgg11_bn": 32, "resnet18": 64, "resnext50_32x4d": 64, "squeezenet1_0": 64, "densenet121": 64, "googlenet": 64,
    "inception_v3": 96, "shufflenet_v2_x0_5": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64, "mnasnet0_5": 64,
    "efficientnet_b0": 64, "efficientnet_v2_s": 64, "regnet_x_400mf": 64, "regnet_y_400mf": 64, "convnext_tiny": 64,
    "swin_t": 64, "swin_v2_t": 64, "vit_b_32": 64, "maxvit": 112,
}  # fmt: skip
WITHOUT_PARTS = ("vit_b_32",)
"""Their first convolution is followed by attention, with nothing local between."""


def small_maxvit() -> nn.Module:
    """Two blocks of each of three stages, with the windows and grids of maxvit_t; its builder knows no image below 224 pixels."""
    return MaxVit((112, 112), 32, 7, [32, 64, 128], [2, 2, 2], 16, 0.2)


def shortened(module: nn.Module) -> nn.Module:
    """The network with at most two blocks of a kind in a row: a third one is computed by the same code on the same shapes."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is not nn.Sequential:
                continue
            kinds = [re.sub(r"\bp=[\d.]+|drop_prob=[\d.]+", "", repr(block)) for block in child]
            kept = [block for i, block in enumerate(child) if i < 2 or not kinds[i - 2] == kinds[i - 1] == kinds[i]]
            if len(kept) < len(child):
                setattr(parent, name, nn.Sequential(*kept))
    return module


def narrowed(module: nn.Module) -> nn.Module:
    """The network with 64 hidden units in place of 4,096, of which nothing is local: those are nine in ten weights of VGG."""
    head = getattr(module, "classifier", None)
    wide = [layer for layer in head if isinstance(layer, nn.Linear)] if isinstance(head, nn.Sequential) else []
    for i, layer in enumerate(wide):
        inputs, outputs = layer.in_features if i == 0 else 64, 10 if layer is wide[-1] else 64
        head[list(head).index(layer)] = nn.Linear(inputs, outputs)
    return module


def family(name: str, dtype: torch.dtype) -> Model:
    more = {"image_size": 64} if name.startswith("vit") else {}
    more |= {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    more |= {"init_weights": False} if name.startswith("vgg") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = small_maxvit() if name == "maxvit" else narrowed(shortened(get_model(name, weights=None, **more)))
        for child in module.modules():
            if isinstance(child, nn.Linear) and not child.weight.any():
                nn.init.normal_(child.weight)
            if isinstance(child, nn.BatchNorm2d):
                child.momentum = 1.0
        with torch.no_grad():
            module.train()(torch.randn(8, 3, FAMILIES[name], FAMILIES[name]))
        for child in module.modules():
            if isinstance(child, nn.BatchNorm2d):
                child.running_var.mul_(2)  # a signal that neither dies nor makes rounding explode
    return Model(module.to(dtype).eval(), Bounds.of(-1, 1, 3))


def some_size(*of: object) -> tuple[int, int]:
    """Any from 2 × 2 to 13 × 13, another for each test."""
    draw = Random(str(of))
    return draw.randint(2, 13), draw.randint(2, 13)


LIMITS = {torch.float64: 1e-10, torch.float32: 1e-5}


IN_SINGLE = ("squeezenet1_0", "mobilenet_v2", "swin_t")
"""What rounds in single precision is the same code; a few networks of different kinds show that it rounds no worse."""


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, torch.float64) for name in FAMILIES), *((name, torch.float32) for name in IN_SINGLE)], ids=str
)
def test_every_family_of_torchvision(name: str, dtype: torch.dtype) -> None:
    model = family(name, dtype)
    side = FAMILIES[name]
    images = zoo.normal(2, 3, side, side, seed=4, dtype=dtype)
    size = some_size(name, dtype)
    plan = incremental(model, images, size)
    assert (plan.replay is None) == (name in WITHOUT_PARTS), plan.reason
    check(model, images, size, 5, LIMITS[dtype])


OTHERS = {
    "test_nfnet": 96, "halonet26t": 256, "hrnet_w18": 96, "dla34": 96, "cs3darknet_s": 96, "skresnet18": 96, "mixnet_s": 96,
    "starnet_s050": 96, "repghostnet_050": 96, "fastvit_s12": 96, "mobilevit_s": 96, "efficientformer_l1": 224, "iformer_s": 96,
    "test_maxvit": 160, "edgenext_small": 96, "focalnet_tiny_lrf": 96, "pvt_v2_b0": 96, "xcit_nano_12_p8_224": 112, "tresnet_l": 96,
}  # fmt: skip
"""Of timm: standardised weights, halos, branches of many sizes, selective kernels, hybrids with attention of all kinds."""


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_timm(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        more = {"img_size": OTHERS[name]} if name.startswith("xcit") else {}
        module = shortened(create_model(name, num_classes=10, **more)).eval()
    images = zoo.normal(2, 3, OTHERS[name], OTHERS[name], seed=4)
    check(Model(module, Bounds.of(-1, 1, 3)), images, some_size(name), 5, LIMITS[torch.float32])


MANY_CORNERS = [*((name, torch.float64) for name in ("squeezenet1_0", "resnet18", "densenet121")), ("squeezenet1_0", torch.float32)]


@pytest.mark.parametrize(("name", "dtype"), MANY_CORNERS, ids=str)
def test_many_windows_of_an_image_at_once_in_any_order(name: str, dtype: torch.dtype) -> None:
    """A grid of windows at any phase of the strides, more than are computed at once, each with two fills, against full forward
    passes; then the same windows shuffled.
    """
    model, images = family(name, dtype), zoo.normal(2, 3, 64, 64, seed=4, dtype=dtype)
    places = torch.arange(0, 64 - 12, 21)
    corners = torch.cartesian_prod(places, places).repeat_interleave(2, 0).expand(2, -1, 2)
    n = corners.shape[1]
    assert n > ENOUGH_ROWS
    fills = zoo.normal(2, n, 3, 12, 12, seed=5, dtype=dtype)
    partly, full = (PatchedImages(one, images, (12, 12), **OFTEN) for one in (model, model.with_(incremental=False)))
    expected = full.outputs(corners, fills)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(6))
    shuffled = torch.empty_like(expected)
    outputs = partly.outputs(corners, fills)
    shuffled[:, order] = partly.outputs(corners[:, order], fills[:, order])
    for each in (outputs, shuffled):
        assert float((each - expected).abs().max()) <= LIMITS[dtype] * float(expected.abs().max())
    assert incremental(model, images, (12, 12)).replay is not None


PLANS = {
    "plain": (Plan(), 1e-5),
    "folded": (Plan(fold=True), 1e-5),
    "channels last": (Plan(channels_last=True), 1e-5),
    "folded, channels last": (Plan(fold=True, channels_last=True), 1e-5),
    "bfloat16": (Plan(fold=True, channels_last=True, bfloat16=True), 0.05),
}


@pytest.mark.parametrize("name", PLANS)
def test_efficientnet_under_every_plan(name: str) -> None:
    plan, limit = PLANS[name]
    images = zoo.normal(2, 3, 96, 96, seed=6)
    model = apply(plan, load_model("efficientnet_lite0"), images)
    size = some_size(name)
    assert incremental(model, images, size).replay is not None
    check(model, images, size, 7, limit)
