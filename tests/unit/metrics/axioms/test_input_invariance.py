"""What Kindermans et al. (2017) found, method by method, to the last digits of float64."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.edits.shift import shifted
from heatproof.methods import (
    DeconvNet,
    DeepLift,
    DeepTaylor,
    ExpectedGradients,
    GradCam,
    Gradient,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    Lrp,
    Method,
    PatternAttribution,
    PatternNet,
    SmoothGrad,
    SmoothTaylor,
)
from heatproof.metrics import InputInvariance
from heatproof.metrics.explain import bound
from heatproof.models import Model
from heatproof.numerics.similarity import pearson
from heatproof.passes.patterns import fit_patterns
from heatproof.passes.picture_shift import picture_shift
from heatproof.perturb.draws import Draws, drawn_as
from heatproof.perturb.fills import Black, Uniform, White, Zero
from heatproof.perturb.noises import Gaussian
from heatproof.relevance.composites import LrpEpsilon, LrpZ
from tests.support import zoo
from tests.support.close import assert_close


def network() -> nn.Module:
    """Biased ReLU convolutions, the first of them padded and with a stride."""
    layers = [nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return zoo.filled(nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 4)), seed=21, scale=2).eval()


MODEL = zoo.model(network(), dtype=torch.float64)
IMAGES = zoo.images(3, dtype=torch.float64)
PATTERNS = fit_patterns(MODEL, zoo.images(40, seed=7, dtype=torch.float64), "linear")
TARGET = MODEL.outputs(IMAGES).argmax(1)
INVARIANT = {
    "gradient": Gradient(),
    "guided backprop": GuidedBackprop(),
    "deconvnet": DeconvNet(),
    "patternnet": PatternNet(patterns=PATTERNS),
    "pattern attribution": PatternAttribution(patterns=PATTERNS),
    "integrated gradients from black": IntegratedGradients(baseline=Black()),
    "integrated gradients from uniform colours": IntegratedGradients(baseline=Uniform(), baselines=2),
    "expected gradients": ExpectedGradients(baseline=Uniform(), baselines=4),
    "deeplift from black": DeepLift(baseline=Black()),
    "deep taylor within bounds": DeepTaylor(),
    "smoothgrad": SmoothGrad(samples=3),
    "smoothgrad of integrated gradients": SmoothGrad(samples=2, method=IntegratedGradients(baseline=White())),
    "smoothtaylor": SmoothTaylor(samples=3),
    "grad-cam": GradCam(relu=False),
}
FOLLOWING_BOUNDS = {name for name in INVARIANT if "from" in name or "bounds" in name or "integrated" in name} | {
    "expected gradients"
}
"""They follow a shift of the bounds, not one that is a picture; nor does noise as wide as the image."""
VARIANT = {
    "input x gradient": InputXGradient(),
    "lrp-z": Lrp(composite=LrpZ()),
    "lrp-epsilon": Lrp(composite=LrpEpsilon()),
    "integrated gradients from zero": IntegratedGradients(baseline=Zero()),
    "deeplift from zero": DeepLift(baseline=Zero()),
    "smoothgrad of input x gradient": SmoothGrad(samples=3, method=InputXGradient()),
}


def distance(method: Method, **settings: object) -> Tensor:
    return InputInvariance(**settings).score(MODEL, IMAGES, TARGET, bound(method, MODEL)).components["distance"]


@pytest.mark.parametrize("method", INVARIANT.values(), ids=INVARIANT.keys())
def test_these_methods_do_not_see_a_constant_shift(method: Method) -> None:
    assert distance(method).max() < 1e-11


@pytest.mark.parametrize("method", VARIANT.values(), ids=VARIANT.keys())
def test_these_methods_see_a_constant_shift(method: Method) -> None:
    assert distance(method).min() > 0.1


@pytest.mark.parametrize("name", [*INVARIANT, *VARIANT])
def test_what_no_input_enters_does_not_see_a_picture_either_and_no_baseline_follows_one(name: str) -> None:
    method = {**INVARIANT, **VARIANT}[name]
    if isinstance(method, SmoothGrad | SmoothTaylor):
        method = method.model_copy(update={"noise": Gaussian(sigma=0.3, relative_to="absolute")})
    found = distance(method, shift="picture")
    assert found.min() > 0.02 if name in FOLLOWING_BOUNDS | set(VARIANT) else found.max() < 1e-11


def test_input_x_gradient_differs_by_the_shift_times_the_gradient() -> None:
    lower, upper = MODEL.bounds.like(IMAGES)
    m = 0.7 * (upper - lower)
    found = InputXGradient().attribute(shifted(MODEL, m[0]), IMAGES + m, TARGET).values
    difference = found - InputXGradient().attribute(MODEL, IMAGES, TARGET).values
    assert_close(difference, m * Gradient().attribute(MODEL, IMAGES, TARGET).values, 1e-12)


def test_input_x_gradient_shows_the_picture_that_the_shift_was_made_for() -> None:
    images = zoo.images(3, dtype=torch.float64) / 4
    row = torch.arange(8)
    picture = 1.0 - 2.0 * ((row[:, None] // 2 + row // 2) % 2)
    shifts = picture_shift(MODEL, images, TARGET, picture, limit=0.3)
    lower, upper = MODEL.bounds.like(images)
    assert (shifts.abs() <= 0.3 * (upper - lower) * (1 + 1e-12)).all()
    before = InputXGradient().attribute(MODEL, images, TARGET).values
    after = torch.cat(
        [
            InputXGradient().attribute(shifted(MODEL, m), x[None] + m, int(t)).values
            for x, m, t in zip(images, shifts, TARGET, strict=True)
        ]
    )
    shown = picture.double().expand_as(images)
    assert pearson(before, shown).abs().max() < 0.3
    assert (pearson(after, shown) > 0.6).all()
    free = (shifts.abs() < 0.3 * (upper - lower)) & (shifts != 0)
    size = before.abs().mean((1, 2, 3), keepdim=True)
    assert_close(after[free], (shown * size)[free], 1e-12)


def test_images_drawn_as_others_have_their_random_numbers_inside_the_block_only() -> None:
    others = IMAGES + 1
    own, shared = Draws.for_images(0, others), Draws.for_images(0, IMAGES)
    with drawn_as(others, IMAGES):
        assert Draws.for_images(0, others) == shared
        assert Draws.for_images(0, IMAGES) == shared
    assert Draws.for_images(0, others) == own != shared


def test_a_network_that_sees_its_input_otherwise_than_by_operations_is_refused() -> None:
    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + x.flatten().tolist()[0]

    model = zoo.model(Aside(), dtype=torch.float64)
    with pytest.raises(ModelError, match="expected the outputs that the network has without a shift, got a relative difference"):
        InputInvariance().score(model, IMAGES, TARGET, bound(Gradient(), model))


@pytest.mark.parametrize(("shift", "size"), [("constant", 0.0), ("picture", -0.2), ("picture", 0.0)])
def test_a_shift_of_nothing_is_refused(shift: str, size: float) -> None:
    with pytest.raises(ValueError, match="size: expected"):
        InputInvariance(shift=shift, size=size)


def test_an_accelerated_network_is_shifted_plain() -> None:
    model = Model(network().double(), MODEL.bounds, engine=network().double())
    found = InputInvariance().score(model, IMAGES, TARGET, bound(Gradient(), model))
    assert found.components["distance"].max() < 1e-11
