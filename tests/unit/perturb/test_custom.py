"""Replacement values that the caller provides, one for each image."""

import pytest
import torch
from torch import Tensor

from heatproof.core.errors import SettingsError, TensorError
from heatproof.methods import Competition, DeepLift, ExpectedGradients, IntegratedGradients, Method, Product, SmoothGrad
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.perturb.draws import drawn_as
from heatproof.perturb.fills import Custom, Fill
from tests.support import zoo
from tests.support.close import assert_close

MODEL = zoo.model(zoo.smooth_conv(), chunk=5)
IMAGES, BASELINES = zoo.images(4), zoo.images(4, seed=6)
EACH = Custom(values=BASELINES, images=IMAGES)
NODES = GaussLegendre(steps=6)


def wrapped(baseline: Fill) -> dict[str, Method]:
    paths = IntegratedGradients(baseline=baseline, quadrature=NODES)
    return {
        "integrated gradients": paths,
        "to a tolerance": IntegratedGradients(baseline=baseline, tolerance=0.05),
        "expected gradients": ExpectedGradients(baseline=baseline, baselines=3, strata=2),
        "deep lift": DeepLift(baseline=baseline),
        "smooth grad": SmoothGrad(method=paths, samples=3),
        "competition": Competition(method=paths, rivals=2),
        "product": Product(first=paths, second=SmoothGrad(method=paths, samples=2)),
        "smooth grad twice": SmoothGrad(method=SmoothGrad(method=paths, samples=2), samples=2),
    }


@pytest.mark.parametrize("name", wrapped(EACH))
def test_each_image_starts_from_its_own_baseline_inside_every_wrapper(name: str) -> None:
    """In any order, with repeated images and chunks that end inside an image."""
    order = [2, 0, 2, 3]
    found = wrapped(EACH)[name].attribute(MODEL, IMAGES[order], 1)
    for row, i in enumerate(order):
        alone = wrapped(Custom(values=BASELINES[i]))[name].attribute(MODEL, IMAGES[i : i + 1], 1)
        assert_close(found.values[row], alone.values[0], 1e-5)
        assert_close(found.expected_sum[row], alone.expected_sum[0], 1e-4)


def test_an_image_without_values_is_refused() -> None:
    method = IntegratedGradients(baseline=Custom(values=BASELINES[:3], images=IMAGES[:3]))
    with pytest.raises(TensorError, match="expected one of the 3 images that values were given for, got another image"):
        method.attribute(MODEL, IMAGES[[0, 3]], 1)


def test_a_changed_image_that_draws_as_its_original_has_the_values_of_that() -> None:
    method, changed = IntegratedGradients(baseline=EACH, quadrature=NODES), IMAGES + 0.1
    with drawn_as(changed, IMAGES):
        found = method.attribute(MODEL, changed, 1)
    same = IntegratedGradients(baseline=Custom(values=BASELINES, images=changed), quadrature=NODES)
    assert_close(found.values, same.attribute(MODEL, changed, 1).values, 1e-5)


def test_half_precision_finds_its_images() -> None:
    images = IMAGES.bfloat16()
    model = zoo.model(zoo.smooth_conv(), dtype=torch.bfloat16)
    method = IntegratedGradients(baseline=Custom(values=BASELINES, images=images), quadrature=NODES)
    assert method.attribute(model, images.flip(0), 1).values.dtype == torch.bfloat16


def test_settings_survive_json_and_hold_no_image() -> None:
    again = Fill.from_dict(EACH.to_dict())
    assert isinstance(again, Custom)
    assert again.images == EACH.images
    assert torch.equal(again.values, EACH.values)
    assert EACH.digest != Custom(values=BASELINES, images=IMAGES.flip(0)).digest


@pytest.mark.parametrize(
    ("values", "images", "message"),
    [
        (BASELINES[:3], IMAGES, "expected one for each of the 4 images, got 3"),
        (BASELINES[:2], IMAGES[[1, 1]], "expected equal values for equal images"),
    ],
)
def test_values_that_do_not_fit_their_images_are_refused(values: Tensor, images: Tensor, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Custom(values=values, images=images)


def test_a_batch_of_values_without_images_says_what_is_missing() -> None:
    with pytest.raises(TensorError, match=r"together with images=…"):
        IntegratedGradients(baseline=Custom(values=BASELINES)).attribute(MODEL, IMAGES, 1)
