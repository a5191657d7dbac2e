"""Guided backprop paints the picture whatever the weights are; so does DeconvNet behind max pooling. Nie, Zhang & Patel, ICML 2018.

One convolution of N random 3 × 3 filters without bias, a ReLU, and a random fully connected row. For a patch y and w ~ N(0, 1),

    E[w 1(w·y > 0)] = y / (√(2π) |y|),

so that guided backprop tends to the picture with each patch scaled to length 1 and added up again, and not quite to the picture:
where patches are faint, as at soft borders, it is louder. Nothing of the kind holds where positive and negative weights of the
row cancel (the gradient) or where the ReLU is not asked (DeconvNet); max pooling asks it again.

How close a finite N comes depends on the picture more than on anything else: at N = 64 guided backprop correlates .9 with hard
strokes, .7 with soft ones, whose faint borders the limit makes loud, and less than .2 with a texture that is not taken about its
mean, since every patch is then nearly the same one. So the expected numbers are those of these two pictures, within .08.
"""

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn.functional import fold, unfold

from heatproof.methods import DeconvNet, Gradient, GuidedBackprop, Method
from heatproof.models import Bounds, Model, Regression
from heatproof.numerics.similarity import pearson
from tests.support import zoo

SIDE, SEEDS = 28, 6


def digit() -> np.ndarray:
    """A zero drawn with soft strokes, white on black."""
    offset = np.arange(SIDE) - (SIDE - 1) / 2
    radius = np.hypot(*np.meshgrid(offset, offset))
    return gaussian_filter(((radius > 7) & (radius < 11)).astype(float), 0.8)


def hard_digit() -> np.ndarray:
    return (digit() > 0.5).astype(float)


def grey_texture() -> np.ndarray:
    """Grass, in [0, 1]."""
    return resize(data.grass() / 255, (SIDE, SIDE), anti_aliasing=True)


def texture() -> np.ndarray:
    """Grass, about its mean."""
    return grey_texture() - grey_texture().mean()


DRAWN = {"digit": digit, "texture": texture, "hard digit": hard_digit, "grey texture": grey_texture}
PICTURES = ("digit", "texture")


@cache
def picture(name: str) -> Tensor:
    return torch.from_numpy(DRAWN[name]())[None, None].float()


def patch_normalised(image: Tensor) -> Tensor:
    """Every 3 × 3 patch scaled to length 1, overlaps added; a patch of zeros stays zero."""
    patches = unfold(image, 3, padding=1)
    return fold(patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-12), image.shape[-2:], 3, padding=1)


def network(filters: int, pooled: bool, seed: int) -> Model:
    side = SIDE // 2 if pooled else SIDE
    convolution, row = nn.Conv2d(1, filters, 3, padding=1, bias=False), nn.Linear(filters * side**2, 1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(zoo.normal(*convolution.weight.shape, seed=seed))
        row.weight.copy_(zoo.normal(*row.weight.shape, seed=seed + 1000))
    pooling = [nn.MaxPool2d(2)] if pooled else []
    return Model(
        nn.Sequential(convolution, nn.ReLU(), *pooling, nn.Flatten(), row).eval(),
        Bounds.of(-1.0, 1.0, channels=1),
        output=Regression(),
    )


@cache
def maps(method: Method, name: str, filters: int, pooled: bool) -> Tensor:
    """The map under each of some random weights."""
    return torch.cat([method.attribute(network(filters, pooled, seed), picture(name), 0).values for seed in range(SEEDS)])


def likeness(found: Tensor, to: Tensor) -> float:
    return pearson(found, to.expand_as(found)).mean().item()


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("filters", [64, 1024])
@pytest.mark.parametrize("method", [Gradient(), DeconvNet()], ids=lambda method: method.name)
def test_gradient_and_deconv_net_are_noise_without_pooling(method: Method, filters: int, name: str) -> None:
    assert likeness(maps(method, name, filters, False), picture(name)) == pytest.approx(0, abs=0.08)


@pytest.mark.parametrize(
    ("name", "filters", "expected"),
    [("digit", 64, 0.67), ("digit", 1024, 0.84), ("texture", 64, 0.90), ("texture", 1024, 0.96)],
)
def test_guided_backprop_recovers_the_picture(name: str, filters: int, expected: float) -> None:
    assert likeness(maps(GuidedBackprop(), name, filters, False), picture(name)) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize(
    ("name", "filters", "expected"),
    [("digit", 64, 0.75), ("digit", 1024, 0.95), ("texture", 64, 0.93), ("texture", 1024, 0.998)],
)
def test_guided_backprop_tends_to_the_picture_of_normalised_patches(name: str, filters: int, expected: float) -> None:
    found = maps(GuidedBackprop(), name, filters, False)
    assert likeness(found, patch_normalised(picture(name))) == pytest.approx(expected, abs=0.08)
    assert likeness(found, patch_normalised(picture(name))) > likeness(found, picture(name))


@pytest.mark.parametrize(
    ("name", "filters", "expected"),
    [("digit", 64, 0.26), ("digit", 1024, 0.38), ("texture", 64, 0.65), ("texture", 1024, 0.72)],
)
def test_max_pooling_makes_deconv_net_recover_the_picture(name: str, filters: int, expected: float) -> None:
    assert likeness(maps(DeconvNet(), name, filters, True), picture(name)) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("filters", [64, 1024])
def test_pooling_changes_little_for_gradient_and_guided_backprop(filters: int, name: str) -> None:
    assert likeness(maps(Gradient(), name, filters, True), picture(name)) == pytest.approx(0, abs=0.08)
    assert likeness(maps(GuidedBackprop(), name, filters, True), picture(name)) > 0.4


def test_how_well_a_picture_is_recovered_depends_on_the_picture() -> None:
    found = {name: likeness(maps(GuidedBackprop(), name, 64, False), picture(name)) for name in DRAWN}
    assert found["grey texture"] < 0.2 < 0.6 < found["digit"] < 0.8 < 0.85 < found["hard digit"]


def test_the_limit_of_one_patch_is_its_direction() -> None:
    patch = zoo.normal(9, seed=1, dtype=torch.float64)
    filters = zoo.normal(200_000, 9, seed=2, dtype=torch.float64)
    passed = filters * (filters @ patch > 0)[:, None]
    error = passed.std(0) / len(filters) ** 0.5
    assert ((passed.mean(0) - patch / patch.norm() / math.sqrt(2 * math.pi)).abs() < 4 * error).all()
