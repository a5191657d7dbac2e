"""Captum as an independent witness where it is right, and the proof that its known traps are not ours."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from captum.attr import FeatureAblation as CaptumFeatureAblation
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import NoiseTunnel, Saliency
from captum.attr import Occlusion as CaptumOcclusion
from captum.attr import ShapleyValues as CaptumShapleyValues
from captum.attr._utils.approximation_methods import approximation_parameters
from torch import Tensor, nn

from heatproof.methods import (
    FeatureAblation,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Method,
    Occlusion,
    SmoothGrad,
)
from heatproof.models import Model, Regression
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, Quadrature, RightRiemann, Trapezoid
from heatproof.perturb.fills import Black, Zero
from heatproof.perturb.groups import GivenGroups
from heatproof.perturb.noises import Gaussian
from tests.support import zoo
from tests.support.close import assert_close

TARGET = 2


@pytest.fixture(autouse=True)
def _captum_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(params=["residual", "smooth", "bias-free relu"])
def model(request: pytest.FixtureRequest) -> Model:
    return zoo.model(zoo.NETWORKS[request.param]().eval(), dtype=torch.float64)


@pytest.fixture
def images() -> Tensor:
    return zoo.images(3, dtype=torch.float64)


def ours(method: Method, model: Model, images: Tensor) -> Tensor:
    return method.attribute(model, images, TARGET).values


def theirs(attribution: object, images: Tensor, **settings: object) -> Tensor:
    return attribution.attribute(images.clone().requires_grad_(), target=TARGET, **settings).detach()


def test_gradient_agrees_with_saliency(model: Model, images: Tensor) -> None:
    assert_close(ours(Gradient(), model, images), theirs(Saliency(model.module), images, abs=False), 1e-12)


def test_input_x_gradient_agrees(model: Model, images: Tensor) -> None:
    assert_close(ours(InputXGradient(), model, images), theirs(CaptumInputXGradient(model.module), images), 1e-12)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (GaussLegendre, "gausslegendre"),
        (RightRiemann, "riemann_right"),
        (LeftRiemann, "riemann_left"),
        (Midpoint, "riemann_middle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("baseline", [Black(), Zero()], ids=["black", "zero"])
def test_integrated_gradients_agree_to_the_float32_of_captums_weights(
    model: Model, images: Tensor, rule: type[Quadrature], name: str, baseline: Black | Zero
) -> None:
    start = torch.zeros_like(images)
    if isinstance(baseline, Black):
        start = start + model.bounds.lower.double().view(1, 3, 1, 1)
    found = ours(IntegratedGradients(quadrature=rule(steps=20), baseline=baseline), model, images)
    assert_close(found, theirs(CaptumIntegratedGradients(model.module), images, baselines=start, n_steps=20, method=name), 1e-7)


@pytest.mark.parametrize(("moment", "kind"), [("mean", "smoothgrad"), ("square", "smoothgrad_sq"), ("variance", "vargrad")])
def test_smooth_grad_agrees_within_the_error_of_sampling(moment: str, kind: str) -> None:
    """Same σ, other draws: the difference of two means of 3,000 samples, in units of its standard error."""
    model, rows, samples = zoo.model(zoo.tabular_mlp(), channels=7, dtype=torch.float64, chunk=500), zoo.table(2).double(), 3000
    method = SmoothGrad(noise=Gaussian(sigma=0.4, relative_to="absolute"), samples=samples, moment=moment)
    torch.manual_seed(0)
    tunnel = NoiseTunnel(Saliency(model.module))
    batches = torch.stack([theirs(tunnel, rows, abs=False, nt_type=kind, nt_samples=samples // 10, stdevs=0.4) for _ in range(10)])
    if moment == "variance":  # captum divides by n
        batches = batches * (samples / 10) / (samples / 10 - 1)
    error = batches.std(0) / 10**0.5
    assert ((ours(method, model, rows) - batches.mean(0)).abs() < 6 * error).all()


# --- traps -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 10, 50])
def test_our_trapezoid_weights_sum_to_one_and_captums_do_not(steps: int) -> None:
    step_sizes, _ = approximation_parameters("riemann_trapezoid")
    assert sum(step_sizes(steps)) == pytest.approx(1 - 1 / steps)
    assert Trapezoid(steps=steps).nodes()[1].sum().item() == pytest.approx(1, abs=1e-14)


def test_our_trapezoid_is_complete_on_a_linear_network_and_captums_is_not() -> None:
    module = zoo.Linear((3, 8, 8))
    model, images = zoo.model(module, dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    expected_sum = module(images)[:, TARGET] - module(torch.zeros_like(images))[:, TARGET]
    ours_ = ours(IntegratedGradients(quadrature=Trapezoid(steps=10), baseline=Zero()), model, images).flatten(1).sum(1)
    theirs_ = theirs(CaptumIntegratedGradients(module), images, n_steps=10, method="riemann_trapezoid").flatten(1).sum(1)
    assert_close(ours_, expected_sum.detach(), 1e-12)
    assert_close(theirs_, 0.9 * expected_sum.detach(), 1e-7)


class SteepParabola(nn.Module):
    """f(x) = 10⁴ x + ½ h x²: under noise σ the gradient is 10⁴ with variance h²σ²."""

    def forward(self, x: Tensor) -> Tensor:
        return (1e4 * x + 0.5 * 0.1 * x.square()).flatten(1).sum(1, keepdim=True)


def test_our_variance_survives_a_large_mean_in_float32_and_captums_does_not() -> None:
    """The gradient is 10⁴, its variance (0.1 · 0.2)² = 4 · 10⁻⁴, below the spacing of float32 numbers near 10⁸."""
    model = Model(SteepParabola(), zoo.model(nn.Identity(), channels=1).bounds, output=Regression(), chunk=100)
    images = torch.zeros(1, 1, 6, 6)
    method = SmoothGrad(noise=Gaussian(sigma=0.2, relative_to="absolute"), samples=2000, moment="variance")
    found = method.attribute(model, images, 0).values
    assert found.mean().item() == pytest.approx(4e-4, rel=0.05)
    assert (found - 4e-4).abs().max() < 1e-4
    torch.manual_seed(0)
    tunnel = NoiseTunnel(Saliency(model.module))
    naive = tunnel.attribute(images.requires_grad_(), target=0, abs=False, nt_type="vargrad", nt_samples=500, stdevs=0.2).detach()
    assert (naive - 4e-4).abs().max() > 1


def test_the_chunk_does_not_change_our_noise_but_captums() -> None:
    model, images = zoo.model(zoo.smooth_conv()), zoo.images(2)
    a, b = (SmoothGrad(samples=6).attribute(model.with_(chunk=chunk), images, TARGET).values for chunk in (1, 6))
    assert_close(a, b, 1e-6)
    tunnel = NoiseTunnel(Saliency(model.module))
    naive = []
    for chunk in (1, 6):
        torch.manual_seed(0)
        naive.append(theirs(tunnel, images, abs=False, nt_samples=6, nt_samples_batch_size=chunk, stdevs=0.3))
    assert (naive[0] - naive[1]).abs().max() > 1e-2 * naive[0].abs().max()


def test_occlusion_of_windows_that_fit_agrees_but_for_the_share_of_a_value(model: Model, images: Tensor) -> None:
    """Captum gives each value the whole drop of its window; it reports zeros as the baseline."""
    found = 3 * 16 * ours(Occlusion(window=4, stride=2, fill=Zero()), model, images)
    assert_close(found, theirs(CaptumOcclusion(model.module), images, sliding_window_shapes=(3, 4, 4), strides=(3, 2, 2)), 1e-6)


def test_feature_ablation_agrees_but_for_the_share_of_a_value(model: Model, images: Tensor) -> None:
    ids = torch.arange(64).view(1, 8, 8) % 5
    sizes = 3 * ids.flatten().bincount()[ids]
    found = sizes * ours(FeatureAblation(groups=GivenGroups(ids=ids), fill=Zero()), model, images)
    assert_close(found, theirs(CaptumFeatureAblation(model.module), images, feature_mask=ids[None]), 1e-10)


def test_exact_shapley_values_agree_but_for_the_share_of_a_value(model: Model, images: Tensor) -> None:
    ids = torch.arange(64).view(1, 8, 8) % 4
    found = 3 * 16 * ours(KernelShap(groups=GivenGroups(ids=ids), fill=Zero()), model, images)
    assert_close(found, theirs(CaptumShapleyValues(model.module), images, feature_mask=ids[None]), 1e-6)
