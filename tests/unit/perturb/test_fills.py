import pytest
import torch

from heatproof.core.errors import SettingsError, TensorError
from heatproof.core.settings import exports
from heatproof.models import Bounds
from heatproof.numerics.blur import gaussian_blur
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import (
    Black,
    Blurred,
    ChannelMean,
    Custom,
    Fill,
    Inpainter,
    NearestNeighbour,
    NoisyLinear,
    Normal,
    Reference,
    SegmentMean,
    Uniform,
    White,
    Zero,
)
from heatproof.perturb.groups import Patches
from tests.support import zoo
from tests.support.close import assert_close, gap


def ramp(images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Paints the sum of what is known of an image, times the column."""
    assert present.shape == (len(images), 1, *images.shape[2:])
    return images.sum((1, 2, 3), keepdim=True) * torch.arange(images.shape[3]).expand_as(images)


BOUNDS = Bounds(torch.tensor([-1.5, -2.0, -1.0]), torch.tensor([2.0, 1.5, 2.5]))
FILLS = {
    "black": Black(),
    "blurred": Blurred(),
    "channel_mean": ChannelMean(),
    "custom": Custom(values=zoo.images(1, seed=7)[0]),
    "inpainter": Inpainter(function="tests.unit.perturb.test_fills:ramp"),
    "nearest_neighbour": NearestNeighbour(),
    "noisy_linear": NoisyLinear(),
    "normal": Normal(),
    "reference": Reference(images=zoo.images(5, seed=9)),
    "segment_mean": SegmentMean(groups=Patches(side=3)),
    "uniform": Uniform(),
    "white": White(),
    "zero": Zero(),
}


def fill(item: Fill, images: torch.Tensor, index: object = 0, seed: int = 0) -> torch.Tensor:
    return item(images, BOUNDS, Draws.for_images(seed, images), index)


def test_every_exported_fill_is_tried_here() -> None:
    assert set(FILLS) == set(exports(Fill))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", FILLS)
def test_a_fill_is_shaped_and_typed_as_its_images_and_leaves_them_alone(name: str, dtype: torch.dtype) -> None:
    images = zoo.images(3, dtype=dtype)
    before = images.clone()
    found = fill(FILLS[name], images)
    assert (found.shape, found.dtype) == (images.shape, dtype)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_depends_on_the_draw_if_and_only_if_it_is_stochastic(name: str) -> None:
    images = zoo.images(6)
    once, again = (torch.stack([fill(FILLS[name], images, k) for k in range(first, first + 4)]) for first in (0, 4))
    assert (gap(once, again) > 1e-3) == FILLS[name].stochastic


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_of_one_image_is_its_fill_in_a_batch(name: str) -> None:
    images = zoo.images(4)
    together = fill(FILLS[name], images, [3, 1, 4, 1])
    assert torch.equal(fill(FILLS[name], images[2:3], 4), together[2:3])


@pytest.mark.parametrize("name", [name for name, item in FILLS.items() if item.local and not item.stochastic])
def test_a_local_fill_of_a_crop_does_not_look_outside(name: str) -> None:
    images = zoo.images(2)
    assert torch.equal(fill(FILLS[name], images)[..., 2:5, 1:4], fill(FILLS[name], images[..., 2:5, 1:4]))


def test_colours() -> None:
    images = zoo.images(2)
    assert fill(Black(), images)[1, :, 3, 3].tolist() == [-1.5, -2.0, -1.0]
    assert fill(White(), images)[1, :, 3, 3].tolist() == [2.0, 1.5, 2.5]
    assert not fill(Zero(), images).any()
    assert_close(fill(ChannelMean(), images)[..., 0, 0], images.mean((2, 3)), 1e-6)
    assert torch.equal(fill(FILLS["custom"], images)[1], zoo.images(1, seed=7)[0])


def test_references_are_drawn_whole_and_about_equally_often() -> None:
    item = FILLS["reference"]
    images = zoo.images(1)
    found = torch.cat([fill(item, images, k) for k in range(500)])
    which = [int((item.images == image).flatten(1).all(1).nonzero()) for image in found]
    assert min(which.count(k) for k in range(5)) > 70


def test_references_can_be_drawn_for_half_precision_too() -> None:
    images = zoo.images(1, dtype=torch.bfloat16)
    draws = Draws.for_images(0, images)
    rounded_up = next(k for k in range(10**4) if draws.uniform("reference fill", k, ()) == 1)
    assert fill(FILLS["reference"], images, rounded_up).shape == images.shape


SMALL = {"custom": Custom(values=torch.zeros(3, 4, 4)), "reference": Reference(images=torch.zeros(2, 3, 4, 4))}


@pytest.mark.parametrize("item", SMALL.values(), ids=SMALL.keys())
def test_values_of_another_size_are_refused(item: Fill) -> None:
    with pytest.raises(TensorError, match=r"expected .*8, 8.*got .*4, 4"):
        fill(item, zoo.images(1))


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (2, 100), (4, 100), (2, 2), (28, 28)])
def test_a_blur_takes_something_away_at_every_size(size: tuple[int, int]) -> None:
    images = zoo.normal(4, 1, *size, seed=2)
    blurred = Blurred()(images, Bounds.of(-4, 4, 1), Draws.for_images(0, images), 0)
    assert blurred.std() < 0.9 * images.std()
    assert blurred.mean((2, 3)).allclose(images.mean((2, 3)), atol=1e-4)


def test_the_blur_of_a_picture_is_a_share_of_its_shorter_side() -> None:
    images = zoo.normal(1, 1, 40, 60)
    blurred = Blurred(sigma=0.1)(images, Bounds.of(-4, 4, 1), Draws.for_images(0, images), 0)
    assert torch.equal(blurred, gaussian_blur(images, 4.0))


def test_the_mean_of_a_segment_is_that_of_each_channel() -> None:
    images = zoo.images(2)
    found = fill(FILLS["segment_mean"], images)
    assert_close(found[1, :, 4, 1], images[1, :, 3:6, :3].mean((1, 2)), 1e-6)
    assert_close(found[1, :, 7, 7], images[1, :, 6:, 6:].mean((1, 2)), 1e-6)


def test_normal_noise_stays_within_the_bounds_around_their_middle() -> None:
    images = torch.zeros(1, 3, 64, 64)
    lower, upper = BOUNDS.like(images)
    found = fill(Normal(sigma=0.4), images)
    assert ((found >= lower) & (found <= upper)).all()
    assert_close(found.mean((0, 2, 3)), (BOUNDS.lower + BOUNDS.upper) / 2, 0.1)


def imputed(images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    return NoisyLinear(noise=1e-9).impute(images, present, BOUNDS, Draws.for_images(0, images), 0)


def test_linear_imputation_solves_the_equations_of_each_absent_pixel() -> None:
    """v_i Σ_j w_ij = Σ_j w_ij v_j over the neighbours inside the image, by a dense solver, pixel by pixel."""
    images = zoo.images(2, side=7, dtype=torch.float64)
    present = torch.stack([zoo.normal(1, 7, 7, seed=seed) > level for seed, level in ((1, 0.0), (2, 1.0))])
    found = imputed(images, present)
    for image, known, values in zip(images, present[:, 0].flatten(1), found, strict=True):
        rows, right = torch.zeros(49, 49, dtype=torch.float64), torch.zeros(49, 3, dtype=torch.float64)
        for p in range(49):
            rows[p, p] = 1
            if known[p]:
                right[p] = image.flatten(1)[:, p]
                continue
            near = [(q, 1 / 6 if abs(p // 7 - q // 7) + abs(p % 7 - q % 7) == 1 else 1 / 12) for q in range(49)]
            near = [(q, w) for q, w in near if q != p and max(abs(p // 7 - q // 7), abs(p % 7 - q % 7)) == 1]
            for q, w in near:
                rows[p, q] = -w / sum(w for _, w in near)
        expected = torch.linalg.solve(rows, right).T.view(3, 7, 7)
        assert_close(torch.where(known.view(7, 7), image, values), expected, 1e-5)


def test_an_image_with_nothing_left_gets_its_means_and_its_neighbour_in_the_batch_does_not_matter() -> None:
    images = zoo.images(2)
    present = torch.stack([torch.zeros(1, 8, 8, dtype=torch.bool), zoo.normal(1, 8, 8) > 0])
    found = imputed(images, present)
    assert_close(found[0, :, 5, 5], images[0].mean((1, 2)), 1e-5)
    assert_close(imputed(images[1:], present[1:])[0], found[1], 1e-5)


def test_an_absent_value_is_that_of_the_nearest_present_place_and_of_several_the_first() -> None:
    """By comparing every pair of places: steps along the axes, then reading order."""
    images = zoo.images(3, side=7, dtype=torch.float64)
    present = torch.stack([zoo.normal(3, 7, 7, seed=seed) > level for seed, level in ((1, 0.0), (2, 1.5), (3, 9.0))])
    found = NearestNeighbour().impute(images, present, BOUNDS, Draws.for_images(0, images), 0)
    for image, known, values in zip(images[:2].flatten(0, 1), present[:2].flatten(0, 1), found[:2].flatten(0, 1), strict=True):
        places = known.nonzero().tolist()
        for i, j in ((i, j) for i in range(7) for j in range(7)):
            nearest = min(places, key=lambda at: (abs(at[0] - i) + abs(at[1] - j), at))
            assert values[i, j] == image[nearest[0], nearest[1]]
    assert_close(found[2], images[2].mean((1, 2), keepdim=True).expand(3, 7, 7), 1e-12)


def test_the_nearest_place_of_signals_and_volumes() -> None:
    volume = torch.arange(8.0).view(1, 1, 2, 2, 2)
    draws = Draws.for_images(0, volume)
    assert NearestNeighbour().impute(volume, volume == 5, Bounds.of(0, 9, 1), draws, 0).unique().tolist() == [5]
    corners = NearestNeighbour().impute(volume, volume % 7 == 0, Bounds.of(0, 9, 1), draws, 0)
    assert corners.flatten().tolist() == [0, 0, 0, 7, 0, 7, 7, 7]


def test_an_inpainter_does_not_see_what_is_absent() -> None:
    images, present = zoo.images(2), zoo.normal(2, 1, 8, 8) > 0
    item, draws = FILLS["inpainter"], Draws.for_images(0, images)
    found = item.impute(images, present, BOUNDS, draws, 0)
    assert_close(found, ramp(images * present, present), 0)
    assert torch.equal(item.impute(torch.where(present, images, 9.0), present, BOUNDS, draws, 0), found)


def test_an_inpainter_is_a_function_that_can_be_imported() -> None:
    assert Inpainter(function=ramp) == FILLS["inpainter"]
    assert Fill.from_dict(FILLS["inpainter"].to_dict()) == FILLS["inpainter"]
    for wrong in (lambda images, present: images, "ramp", "tests/ramp.py:ramp"):
        with pytest.raises(SettingsError, match="function: expected"):
            Inpainter(function=wrong)
    with pytest.raises(SettingsError, match=r"function: expected one that can be imported, got no_such_module:paint"):
        fill(Inpainter(function="no_such_module:paint"), zoo.images(1))
    with pytest.raises(TensorError, match=r"torch:equal: expected images \[1, 3, 8, 8\], got bool"):
        fill(Inpainter(function="torch:equal"), zoo.images(1))
