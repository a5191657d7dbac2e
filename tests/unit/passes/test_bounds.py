"""Images outside the bounds of the model: said, and refused by what relies on the bounds."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.methods import DeepTaylor, Gradient, IntegratedGradients, Lrp, SmoothGrad
from heatproof.metrics import PerturbationCurve, PixelFlipping, SimilarityUnderChange
from heatproof.metrics.explain import bound
from heatproof.models import Bounds, Model
from heatproof.perturb.changes import AddedNoise
from tests.support import zoo

INSIDE = torch.linspace(0, 1, 2 * 3 * 64).view(2, 3, 8, 8)
UNITS = {"0 to 255": 255 * INSIDE, "normalised": 6 * INSIDE - 3, "Hounsfield units": 3000 * INSIDE - 1000}
UNITS_OF = pytest.mark.parametrize("images", UNITS.values(), ids=UNITS)


def model() -> Model:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return Model(zoo.filled(layers, 3), Bounds.of(0, 1, channels=3))


@UNITS_OF
@pytest.mark.parametrize("method", [Gradient(), IntegratedGradients()], ids=lambda method: method.name)
def test_a_note_says_that_images_are_in_other_units(images: Tensor, method: Gradient) -> None:
    mixed = torch.stack([INSIDE[0], images[1]])
    inside, outside = method.attribute(model(), mixed, 1).notes
    assert "bounds" not in inside
    assert f"{images[1].min():.4g} to {images[1].max():.4g}, lie far outside the model's bounds, 0 to 1" in outside


@UNITS_OF
@pytest.mark.parametrize(
    "method", [DeepTaylor(), Lrp(composite="epsilon_gamma_box"), SmoothGrad(method=DeepTaylor())], ids=lambda method: method.name
)
def test_methods_that_rely_on_the_bounds_refuse_other_units(images: Tensor, method: DeepTaylor) -> None:
    with pytest.raises(TensorError, match=r"expected values within the model's bounds, 0 to 1, got .* in sample"):
        method.attribute(model(), images, 1)
    assert DeepTaylor(bounded=False).attribute(model(), images, 1).values.isfinite().all()


@UNITS_OF
@pytest.mark.parametrize("metric", [PixelFlipping(steps=2), PerturbationCurve(regions=2, draws=2)], ids=lambda metric: metric.name)
def test_curves_refuse_other_units(images: Tensor, metric: PixelFlipping) -> None:
    with pytest.raises(TensorError, match="bring the images into their units"):
        metric.score(model(), images, 1, images)


def test_rounding_is_no_news_and_a_little_outside_is_said_by_what_relies_on_the_bounds() -> None:
    rounded, outside = 1.004 * INSIDE, 1.2 * INSIDE
    assert DeepTaylor().attribute(model(), rounded, 1).notes == Gradient().attribute(model(), outside, 1).notes
    assert "which deep_taylor relies on" in DeepTaylor().attribute(model(), outside, 1).notes[1]


def test_what_a_metric_adds_to_images_may_leave_the_bounds() -> None:
    metric = SimilarityUnderChange(change=AddedNoise(), levels=(0.5, 3.0))
    assert metric.score(model(), INSIDE, 1, bound(DeepTaylor(), model())).values.isfinite().all()


def test_bounds_that_differ_between_channels_are_written_out() -> None:
    assert str(Bounds(torch.tensor([0.0, -1.0]), torch.tensor([1.0, 2.5]))) == "0, -1 to 1, 2.5"
