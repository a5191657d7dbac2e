"""Perturbation methods against their slow twins, and what they must be where the network is simple."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError, TensorError
from heatproof.methods import FeatureAblation, Method, Occlusion, Rise
from heatproof.methods.perturbation.base import WHOLE
from heatproof.models import Model
from heatproof.numerics.mask_moments import MaskMoments
from heatproof.passes.counting import count_passes
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Black, Custom, Fill, NoisyLinear, Reference, SegmentMean, Uniform
from heatproof.perturb.groups import GivenGroups, Groups, Patches, Pixels, RegularGrid, Slic
from heatproof.perturb.masks.soft_grid import SoftGrid
from tests.references import perturbation as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TIGHT = 1e-12
TARGET = 1
DATA = {
    "images": (zoo.smooth_conv, 3, zoo.images),
    "signals": (zoo.temporal_conv, 2, zoo.signals),
    "table": (zoo.tabular_mlp, 7, zoo.table),
}


def of(kind: str) -> tuple[Model, Tensor]:
    network, channels, data = DATA[kind]
    return zoo.model(network(), channels=channels, dtype=torch.float64), data(2, dtype=torch.float64)


def score(model: Model) -> slow.Function:
    return lambda x: float(model.explained(model.outputs(x[None]), torch.tensor([TARGET])).detach())


def black(model: Model, image: Tensor) -> Tensor:
    return model.bounds.like(image[None])[0][0].expand_as(image)


# --- twins -----------------------------------------------------------------------------------------------------------------


@twin_of("occlusion")
@pytest.mark.parametrize(
    ("kind", "window", "stride"),
    [("images", (3, 4), (2, 4)), ("images", (3, 3), (3, 3)), ("signals", (4,), (3,)), ("table", (2,), (1,))],
)
def test_occlusion_is_the_mean_drop_of_the_windows_that_hold_a_place(
    kind: str, window: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    model, rows = of(kind)
    found = Occlusion(window=window, stride=stride).attribute(model, rows, TARGET).values
    for x, values in zip(rows, found, strict=True):
        # a table is a row of places with one channel
        flat = kind == "table"
        f, place = score(model), (lambda v: v[None]) if flat else (lambda v: v)
        of_row = (lambda v, f=f: f(v[0])) if flat else f
        expected = slow.occlusion(of_row, place(x), place(black(model, x)), window, stride)
        assert_close(values, expected[0] if flat else expected, TIGHT)


@twin_of("feature_ablation")
@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("images", Slic(segments=5)),
        ("images", RegularGrid(cells_per_axis=3)),
        ("images", GivenGroups(ids=torch.arange(192).view(3, 8, 8) % 7 - 1)),
        ("signals", Patches(side=4, channels="each")),
        ("table", Pixels()),
    ],
    ids=["superpixels", "grid", "any integers", "segments of each channel", "columns"],
)
def test_feature_ablation_is_the_drop_without_the_group_of_a_value(kind: str, groups: Groups) -> None:
    model, rows = of(kind)
    found = FeatureAblation(groups=groups).attribute(model, rows, TARGET).values
    ids = groups(rows, model.bounds, Draws.for_images(0, rows)).ids.expand(rows.shape)
    for x, values, of_x in zip(rows, found, ids, strict=True):
        assert_close(values, slow.feature_ablation(score(model), x, black(model, x), of_x), TIGHT)


@twin_of("rise")
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("centred", [True, False])
def test_rise_is_the_covariance_of_masks_and_scores(kind: str, centred: bool) -> None:
    model, rows = of(kind)
    method = Rise(samples=12, cells=4, keep=0.4, centred=centred, fill="black")
    found = method.attribute(model, rows, TARGET, seed=3).values
    space = rows.shape[2:] or rows.shape[1:]
    draws = Draws.for_images(3, rows)
    for i, (x, values) in enumerate(zip(rows, found, strict=True)):
        masks = SoftGrid(tuple(space), 4, 0.4)(draws.rows([i] * 12), range(12))
        f, flat = score(model), kind == "table"
        row, fill = (x[None], black(model, x)[None]) if flat else (x, black(model, x))
        expected = slow.rise((lambda v, f=f: f(v[0])) if flat else f, row, fill, masks, 0.4, centred=centred)
        assert_close(values, expected[0] if flat else expected, 1e-9)


# --- closed forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 9), (3,)], ids=["images", "signals", "table"])
def test_removing_single_values_of_additive_functions_gives_their_terms(shape: tuple[int, ...]) -> None:
    """f(x) = Σ a sin(b x): the map is a (sin b x − sin b black), and sums to f(x) − f(black)."""
    amplitude, frequency = zoo.normal(2, *shape, seed=3), zoo.normal(*shape, seed=4)
    model = zoo.model(zoo.AdditiveSines(amplitude, frequency), dtype=torch.float64)
    rows = torch.stack([zoo.normal(*shape, seed=5 + i, dtype=torch.float64) for i in range(2)])
    lower = model.bounds.like(rows)[0]
    exact = amplitude[TARGET].double() * ((rows * frequency.double()).sin() - (lower * frequency.double()).sin())
    single = FeatureAblation(groups=Pixels(channels="each")).attribute(model, rows, TARGET)
    assert_close(single.values, exact, 1e-10)
    tiles: list[Method] = [
        FeatureAblation(groups=RegularGrid(cells_per_axis=3)),
        Occlusion(window=3, stride=3),
        FeatureAblation(groups=Patches(side=2), fill=Uniform(), draws=2),
    ]
    for method in tiles:
        found = method.attribute(model, rows, TARGET)
        assert found.gap.max() < 1e-10, method
        if not method.stochastic:
            assert_close(found.values.flatten(1).sum(1), exact.flatten(1).sum(1), 1e-10)


def all_masks(cells: int, side: int) -> Tensor:
    """Every mask of a soft grid over a square, each as often as any other where cells are kept with probability ½."""
    grid = SoftGrid((side, side), cells, 0.5)
    bits = torch.arange(2 ** (cells**2))[:, None] >> torch.arange(cells**2) & 1
    rows = [grid.weights(side)[shift : shift + side] for shift in range(grid.cell(side))]
    kept = bits.float().view(-1, cells, cells)
    return torch.cat([torch.einsum("yi,nij,xj->nyx", y, kept, x) for y in rows for x in rows])


def test_rise_converges_and_its_standard_error_covers_the_limit_as_often_as_it_should() -> None:
    """Against the limit over all masks of a function that is not linear: nominally 95 % of all places."""
    side, n = 6, 120
    weight = zoo.normal(side, side, seed=1)

    def f(masks: Tensor) -> Tensor:
        inner = (masks * weight).sum((-2, -1))
        return inner + inner.square() / 4

    every = all_masks(3, side)
    of_every = f(every)
    limits = {
        True: ((of_every - of_every.mean()).view(-1, 1, 1) * (every - every.mean(0))).mean(0),
        False: (of_every.view(-1, 1, 1) * every).mean(0),
    }
    images = torch.stack([zoo.normal(1, 2, 2, seed=seed) for seed in range(60)])
    grid, draws = SoftGrid((side, side), 3, 0.5), Draws.for_images(0, images)
    moments = MaskMoments(len(images), (side, side), torch.device("cpu"))
    for i in range(len(images)):
        masks = grid(draws.rows([i] * n), range(n))
        moments.add([i] * n, masks, f(masks))
    for centred, limit in limits.items():
        values, error = moments.values(centred=centred), moments.standard_error(centred=centred)
        covered = ((values - limit).abs() <= 1.96 * error).double().mean()
        assert 0.90 <= covered <= 0.99, (centred, covered)
        assert_close(values.mean(0), limit.double(), 0.1)


def test_a_tolerance_is_met_by_the_standard_error_of_the_map() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    found = Rise(samples=3000, cells=3, tolerance=0.2).attribute(model, images, 0)
    assert (found.error <= 0.2).all()
    assert (found.probes < 3000).all()
    capped = Rise(samples=20, cells=3, tolerance=0.01).attribute(model, images, 0)
    assert all("stopped at the cap of 20 samples" in note for note in capped.notes)


# --- partial recomputation -------------------------------------------------------------------------------------------------


class Local(nn.Module):
    """Convolutions that are worth following: a window changes a small part of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).mean((2, 3)))


@pytest.mark.parametrize(
    "method", [Occlusion(window=7, stride=5), FeatureAblation(groups=RegularGrid(cells_per_axis=6))], ids=["windows", "cells"]
)
def test_a_part_of_each_pass_is_enough_and_the_map_is_the_same(method: Method) -> None:
    model, images = zoo.model(zoo.filled(Local(), seed=2)), zoo.images(2, side=40)
    with count_passes() as passes:
        partly = method.attribute(model, images, 0)
    whole = method.attribute(model.with_(incremental=False), images, 0)
    assert_close(partly.values, whole.values, 1e-4)
    assert partly.passes == whole.passes
    assert passes.equivalent < 0.5 * passes.forward


# --- what is wrong or pointless is said ------------------------------------------------------------------------------------

WHOLES: list[Method] = [
    FeatureAblation(groups=GivenGroups(ids=torch.zeros(1, 8, 8).long())),
    FeatureAblation(groups=RegularGrid(cells_per_axis=1)),
    Occlusion(window=8, stride=8),
    Occlusion(window=20, stride=1),
]


@pytest.mark.parametrize("method", WHOLES, ids=str)
def test_a_group_that_holds_everything_is_noted(method: Method) -> None:
    found = method.attribute(zoo.model(zoo.smooth_conv()), zoo.images(2), 0)
    assert all(WHOLE in note for note in found.notes)
    assert_close(found.values.flatten(1).sum(1), found.expected_sum, 1e-4)


CONSTANT: list[Method] = [Occlusion(window=4, stride=2), FeatureAblation(groups=Slic(segments=4)), Rise(samples=10)]


@pytest.mark.parametrize("method", CONSTANT, ids=lambda method: method.name)
def test_the_map_of_a_constant_output_is_zero_and_says_so(method: Method) -> None:
    found = method.attribute(zoo.model(zoo.Deaf(zoo.smooth_conv())), zoo.images(2), 3)
    assert not found.values.any()
    assert all(note.startswith("the map is zero everywhere: ") and method.zero_because in note for note in found.notes)


class Cropped(Fill):
    """A fill of the wrong shape."""

    def __call__(self, images: Tensor, bounds: object, draws: object, index: object) -> Tensor:
        return images[:, :, 1:]


@pytest.mark.parametrize(
    "method", [Occlusion(window=4, stride=2), FeatureAblation(groups=Patches(side=4)), Rise(samples=4)], ids=str
)
def test_a_fill_of_the_wrong_shape_is_refused(method: Method) -> None:
    for fill, words in (
        (Cropped(), r"cropped: expected .*\[3, 8, 8\], got \[3, 7, 8\]"),
        (Custom(values=torch.zeros(3, 4, 4)), "4, 4"),
    ):
        with pytest.raises(TensorError, match=words):
            method.model_copy(update={"fill": fill}).attribute(zoo.model(zoo.smooth_conv()), zoo.images(2), 0)


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"draws: expected 1 and no tolerance, since every draw of black is the same, got 3"):
        Occlusion(draws=3)
    with pytest.raises(SettingsError, match=r"stride: expected no more than the window, 4, got 5"):
        Occlusion(window=4, stride=(2, 5))


FILLS: list[Fill] = [
    NoisyLinear(),
    SegmentMean(groups=Patches(side=3)),
    Reference(images=zoo.images(4, seed=9)),
    Black(),
]


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.name)
def test_every_kind_of_fill_serves_every_method_alone_and_in_a_batch(fill: Fill) -> None:
    model, images = zoo.model(zoo.smooth_conv(), chunk=5), zoo.images(3)
    for method in (
        Occlusion(window=4, stride=4, fill=fill),
        FeatureAblation(groups=Slic(segments=4), fill=fill),
        Rise(samples=6, fill=fill),
    ):
        together = method.attribute(model, images, 0)
        assert_close(method.attribute(model.with_(chunk=2), images[1:2], 0).values[0], together.values[1], 1e-5)
        assert together.expected_sum.isnan().all() == (isinstance(fill, NoisyLinear) or isinstance(method, Rise))
