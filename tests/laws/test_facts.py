"""Facts of mathematics, and published figures, that the methods and metrics must reproduce."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from heatproof.methods import ExpectedGradients, Gradient, InputXGradient, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.metrics import TotalVariationCurve
from heatproof.models import LogProbability, Margin, Model, Probability, Regression
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, Quadrature, RightRiemann, Trapezoid
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Uniform, Zero
from heatproof.perturb.noises import Gaussian
from tests.support import zoo
from tests.support.close import assert_close, gap

RULES = [GaussLegendre, LeftRiemann, Midpoint, RightRiemann, Trapezoid]


def double(module: torch.nn.Module, **fields: object) -> Model:
    return zoo.model(module, dtype=torch.float64, **fields)


def doubles(n: int = 3, **fields: int) -> Tensor:
    return zoo.images(n, dtype=torch.float64, **fields)


# --- quadrature ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("steps", [1, 2, 7, 50, 300])
def test_weights_sum_to_one_and_nodes_lie_in_the_unit_interval(rule: type[Quadrature], steps: int) -> None:
    nodes, weights = rule(steps=steps).nodes()
    assert weights.sum().item() == pytest.approx(1, abs=1e-13)
    assert (weights > 0).all()
    assert ((nodes >= 0) & (nodes <= 1)).all()
    assert (nodes.diff() > 0).all()


DEGREES = [(LeftRiemann, 5, 0), (RightRiemann, 5, 0), (Midpoint, 5, 1), (Trapezoid, 5, 1)]
DEGREES += [(GaussLegendre, n, 2 * n - 1) for n in (1, 2, 3, 5, 8)]


@pytest.mark.parametrize(("rule", "steps", "degree"), DEGREES, ids=lambda value: getattr(value, "name", str(value)))
def test_each_rule_is_exact_to_its_degree_and_no_further(rule: type[Quadrature], steps: int, degree: int) -> None:
    nodes, weights = rule(steps=steps).nodes()
    errors = [abs((weights * nodes**d).sum().item() - 1 / (d + 1)) for d in range(degree + 2)]
    assert max(errors[: degree + 1]) < 1e-14
    assert errors[degree + 1] > 1e-12


@pytest.mark.parametrize(
    ("rule", "order"), [(LeftRiemann, 1), (RightRiemann, 1), (Midpoint, 2), (Trapezoid, 2)], ids=lambda v: str(v)
)
def test_the_error_falls_with_the_stated_power_of_the_steps(rule: type[Quadrature], order: int) -> None:
    def error(steps: int) -> float:
        nodes, weights = rule(steps=steps).nodes()
        return abs((weights * nodes.exp()).sum().item() - (math.e - 1))

    assert math.log2(error(40) / error(80)) == pytest.approx(order, abs=0.05)


# --- integrated gradients --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_integrated_gradients_are_exact_on_linear_networks_with_every_rule(rule: type[Quadrature]) -> None:
    net = zoo.Linear((3, 8, 8))
    model, images = double(net), doubles()
    found = IntegratedGradients(quadrature=rule(steps=3)).attribute(model, images, 2)
    black = model.bounds.lower.double().view(1, 3, 1, 1)
    assert_close(found.values, (images - black) * net.weight[2].detach(), 1e-14)
    assert found.gap.max() < 1e-13


@pytest.mark.parametrize("rule", [GaussLegendre, Midpoint, Trapezoid], ids=lambda rule: rule.name)
def test_integrated_gradients_of_a_quadratic_have_a_closed_form(rule: type[Quadrature]) -> None:
    """A_i = (x_i − b_i) (h_i (x_i + b_i)/2 + c_i)."""
    net = zoo.Quadratic((3, 8, 8))
    model, images = double(net), doubles()
    black = model.bounds.lower.double().view(1, 3, 1, 1)
    expected = (images - black) * (net.curvature * (images + black) / 2 + net.slope[1]).detach()
    found = IntegratedGradients(quadrature=rule(steps=2)).attribute(model, images, 1)
    assert_close(found.values, expected, 1e-13)
    assert_close(found.values.flatten(1).sum(1), found.expected_sum, 1e-12)


@pytest.mark.parametrize("output", [Probability(), LogProbability(), Margin()], ids=lambda output: output.name)
def test_integrated_gradients_are_complete_for_every_smooth_output(output: object) -> None:
    model, images = double(zoo.smooth_conv(), output=output), doubles()
    found = IntegratedGradients(quadrature=GaussLegendre(steps=150)).attribute(model, images)
    assert found.gap.max() < (2e-2 if isinstance(output, Margin) else 1e-4)


def test_the_gap_is_between_sum_and_claim_and_a_fixed_rule_knows_no_error() -> None:
    model, images = double(zoo.residual()), doubles()
    found = IntegratedGradients(quadrature=RightRiemann(steps=4)).attribute(model, images, 0)
    total = found.values.flatten(1).sum(1)
    assert_close(found.gap, (total - found.expected_sum).abs() / found.expected_sum.abs(), 1e-12)
    assert found.gap.min() > 1e-3
    assert found.error.isnan().all()


def test_integrated_gradients_from_zero_are_input_times_gradient_on_relu_networks_without_biases() -> None:
    model, images = double(zoo.bias_free_conv()), doubles()
    path = IntegratedGradients(baseline=Zero(), quadrature=GaussLegendre(steps=7)).attribute(model, images, 1).values
    assert_close(path, InputXGradient().attribute(model, images, 1).values, 1e-12)
    assert gap(IntegratedGradients().attribute(model, images, 1).values, path) > 1e-2


def test_expected_gradients_sum_to_their_claim_within_their_standard_error() -> None:
    model, images = double(zoo.residual()), doubles()
    sums = torch.stack(
        [
            (found.values.flatten(1).sum(1) - found.expected_sum)
            for seed in range(30)
            for found in [ExpectedGradients(baselines=4, strata=3).attribute(model, images, 0, seed=seed)]
        ]
    )
    assert (sums.mean(0).abs() < 4 * sums.std(0) / 30**0.5).all()


# --- SmoothTaylor: Stein's lemma -------------------------------------------------------------------------------------------


def mean_and_error(method: Method, model: Model, image: Tensor, seeds: int) -> tuple[Tensor, Tensor]:
    """Mean over seeds of the map of one image, and its standard error per value."""
    maps = torch.stack([method.attribute(model, image[None], 0, seed=seed).values[0] for seed in range(seeds)])
    return maps.mean(0), maps.std(0) / seeds**0.5


def assert_estimates(mean: Tensor, error: Tensor, expected: Tensor) -> None:
    """Standardised differences look standard normal: their root mean square is 1 and none is beyond 5."""
    z = (mean - expected) / error
    assert z.abs().max() < 5
    assert z.square().mean().sqrt().item() == pytest.approx(1, abs=0.2)


SIGMA = 0.6
TAYLOR = SmoothTaylor(noise=Gaussian(sigma=SIGMA, relative_to="absolute"), samples=40)


def test_smooth_taylor_of_a_linear_network_is_noise_of_known_size() -> None:
    """Mean 0, standard deviation σ|w_i|/√R for every input."""
    net = zoo.Linear((3, 8, 8))
    model, image = double(net, chunk=64), doubles(1)[0]
    mean, error = mean_and_error(TAYLOR, model, image, 100)
    assert_estimates(mean, error, torch.zeros_like(mean))
    spread = error * 100**0.5 / (SIGMA * net.weight[0].detach().abs() / 40**0.5)
    assert spread.mean().item() == pytest.approx(1, abs=0.02)


def test_smooth_taylor_of_a_quadratic_estimates_minus_its_curvature() -> None:
    """−σ² h_i."""
    net = zoo.Quadratic((3, 8, 8))
    mean, error = mean_and_error(TAYLOR, double(net, chunk=64), doubles(1)[0], 100)
    assert_estimates(mean, error, -(SIGMA**2) * net.curvature.detach())


def test_smooth_taylor_of_a_relu_estimates_its_smoothed_curvature() -> None:
    """−σ² w_i² φ(t)/(σ|w|), t = (w·x + b)/(σ|w|); here t = ½."""
    image, w = doubles(1, side=2)[0], zoo.SingleReLU((3, 2, 2)).weight.detach().double()
    scale, t = SIGMA * w.norm(), 0.5
    net = zoo.SingleReLU((3, 2, 2), bias=(t * scale - (w * image).sum()).item())
    expected = -(SIGMA**2) * w**2 * math.exp(-(t**2) / 2) / math.sqrt(2 * math.pi) / scale
    taylor = SmoothTaylor(noise=TAYLOR.noise, samples=200)
    mean, error = mean_and_error(taylor, double(net, chunk=200, output=Regression()), image, 50)
    assert ((mean - expected) / error).abs().max() < 4
    assert (expected / error).abs().max() > 15


def test_smooth_taylor_is_smooth_grad_of_minus_noise_times_gradient() -> None:
    """The bridge, draw by draw: with the same noise, A = −mean(ε ⊙ ∇f(x + ε))."""
    model, images = double(zoo.smooth_conv()), doubles(2)
    noise = Gaussian(sigma=0.3)
    draws = Draws.for_images(6, images)
    terms = []
    for k in range(5):
        epsilon = noise(images, model.bounds, draws, k)
        shifted = (images + epsilon).requires_grad_()
        terms.append(-epsilon * torch.autograd.grad(model.module(shifted)[:, 1].sum(), shifted)[0])
    found = SmoothTaylor(noise=noise, samples=5).attribute(model, images, 1, seed=6).values
    assert_close(found, torch.stack(terms).mean(0), 1e-12)
    smooth = SmoothGrad(noise=noise, samples=5).attribute(model, images, 1, seed=6).values
    assert_close(smooth, torch.stack([-t / noise(images, model.bounds, draws, k) for k, t in enumerate(terms)]).mean(0), 1e-10)


def test_smooth_taylor_with_little_noise_is_the_gradient_times_the_mean_draw() -> None:
    """A/σ → −n̄ ⊙ ∇f(x): of first order the map shows the noise that was drawn, and the gradient by its size alone."""
    model, images = double(zoo.smooth_conv()), doubles(2)
    sigma = 1e-6
    noise = Gaussian(sigma=sigma, relative_to="absolute")
    draws = Draws.for_images(6, images)
    mean = torch.stack([noise(images, model.bounds, draws, k) for k in range(5)]).mean(0) / sigma
    gradient = Gradient().attribute(model, images, 1).values
    found = SmoothTaylor(noise=noise, samples=5).attribute(model, images, 1, seed=6).values / sigma
    assert_close(found, -mean * gradient, 1e-4 * float(gradient.abs().max()))


def test_antithetic_roots_leave_only_even_terms_of_a_quadratic() -> None:
    """The pair x ± ε gives −ε² h exactly: gradient and position are gone."""
    net = zoo.Quadratic((3, 8, 8))
    model, images = double(net), doubles(2)
    noise = Gaussian(sigma=0.3, antithetic=True)
    epsilon = noise(images, model.bounds, Draws.for_images(0, images), 0)
    found = SmoothTaylor(noise=noise, samples=2).attribute(model, images, 0).values
    assert_close(found, -(epsilon**2) * net.curvature.detach(), 1e-12)


def test_antithetic_roots_cancel_first_order_noise() -> None:
    model, images = double(zoo.Linear((3, 8, 8))), doubles(2)
    plain = SmoothTaylor(noise=Gaussian(sigma=0.3), samples=8).attribute(model, images, 0).values
    paired = SmoothTaylor(noise=Gaussian(sigma=0.3, antithetic=True), samples=8).attribute(model, images, 0).values
    assert paired.abs().max() < 1e-14
    assert plain.abs().max() > 1e-2


# --- the stated standard error is the spread over seeds --------------------------------------------------------------------

CALIBRATED = {
    "smooth_taylor": SmoothTaylor(noise=Gaussian(sigma=0.5, relative_to="absolute"), samples=10),
    "smooth_taylor, antithetic": SmoothTaylor(noise=Gaussian(sigma=0.5, relative_to="absolute", antithetic=True), samples=12),
    "smooth_taylor, odd number": SmoothTaylor(noise=Gaussian(sigma=0.5, relative_to="absolute"), samples=7),
    "smooth_grad": SmoothGrad(noise=Gaussian(sigma=0.3), samples=10),
    "smooth_grad, odd number": SmoothGrad(noise=Gaussian(sigma=0.3), samples=7),
    "smooth_grad, antithetic": SmoothGrad(noise=Gaussian(sigma=0.5, antithetic=True), samples=12),
    "smooth_grad, squared": SmoothGrad(noise=Gaussian(sigma=0.3), samples=10, moment="square"),
    "smooth_grad, variance": SmoothGrad(noise=Gaussian(sigma=0.3), samples=40, moment="variance"),
    "smooth_grad of smooth_taylor": SmoothGrad(noise=Gaussian(sigma=0.3), samples=6, method=SmoothTaylor(samples=3)),
    "expected_gradients": ExpectedGradients(baselines=8, strata=3),
    "expected_gradients, odd number": ExpectedGradients(baselines=5, strata=2),
    "expected_gradients, adaptive": ExpectedGradients(baselines=24, strata=2, positions="adaptive"),
}


@pytest.mark.parametrize("method", CALIBRATED.values(), ids=CALIBRATED.keys())
def test_the_standard_error_is_the_spread_over_seeds(method: Method) -> None:
    """Root mean square over seeds of the stated error against the spread of the maps, within a quarter."""
    model, image = zoo.model(zoo.smooth_conv(), chunk=64), zoo.images(1)
    found = [method.attribute(model, image, 0, seed=seed) for seed in range(60)]
    maps = torch.cat([f.values for f in found])
    stated = torch.cat([f.error * f.values.flatten(1).norm(dim=1) for f in found]).square().mean().sqrt()
    spread = (maps - maps.mean(0)).flatten(1).square().sum(1).sum().div(len(maps) - 1).sqrt()
    assert (stated / spread).item() == pytest.approx(1, abs=0.25)


# --- published figures of the total variation curve at 224 × 224 -----------------------------------------------------------


def heatmap(kind: str, seed: int = 5) -> Tensor:
    random = np.random.default_rng(seed)
    shape = (224, 224)
    match kind.split():
        case ["gaussian"]:
            values = random.normal(size=shape)
        case ["laplace"]:
            values = random.laplace(size=shape)
        case ["student"]:
            values = random.standard_t(3, size=shape)
        case ["uniform"]:
            values = random.uniform(-1, 1, size=shape)
        case ["sign"]:
            values = random.choice([-1.0, 1.0], size=shape) * random.uniform(0.5, 1, size=shape)
        case ["blurred", sigma]:
            values = gaussian_filter(random.normal(size=shape), float(sigma))
        case ["envelope", width]:
            offset = np.arange(224) - 111.5
            values = random.normal(size=shape) * np.exp(-np.add.outer(offset**2, offset**2) / 2 / float(width) ** 2)
    return torch.from_numpy(values)[None]


def autvc(values: Tensor, **settings: object) -> float:
    return TotalVariationCurve(**settings).score(values[None]).values.item()


def assert_plausible_draw(published: float, kind: str, **settings: object) -> None:
    """The figure is one draw's: within three standard deviations of ours, and of its own two digits."""
    ours = TotalVariationCurve(**settings).score(torch.stack([heatmap(kind, seed) for seed in range(8)])).values
    assert ours.mean().item() == pytest.approx(published, abs=3 * ours.std().item() + 0.01)
    assert ours.std() < 0.06


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("gaussian", 2.36),
        ("laplace", 2.175),
        ("student", 1.9),
        ("uniform", 2.51),
        ("sign", 2.61),
        ("blurred 1", 2.14),
        ("blurred 2", 1.75),
        ("blurred 4", 1.21),
        ("blurred 8", 0.69),
        ("envelope 30", 0.59),
        ("envelope 50", 1.22),
        ("envelope 80", 1.89),
    ],
)
def test_total_variation_of_noise_is_the_published_one(kind: str, published: float) -> None:
    assert_plausible_draw(published, kind)


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("gaussian", 0.69),
        ("laplace", 0.60),
        ("student", 0.51),
        ("uniform", 0.90),
        ("sign", 0.90),
        ("blurred 1", 0.87),
        ("blurred 2", 0.96),
        ("blurred 4", 0.84),
        ("blurred 8", 0.58),
        ("envelope 30", 0.19),
        ("envelope 50", 0.38),
        ("envelope 80", 0.56),
    ],
)
def test_total_variation_by_the_rule_of_the_slides_is_the_published_one(kind: str, published: float) -> None:
    assert_plausible_draw(published, kind, normalise="once")


def test_the_first_level_of_white_noise_varies_by_one_half() -> None:
    curve = TotalVariationCurve().score(heatmap("gaussian")[None]).curve[0]
    assert curve.tolist() == pytest.approx([0.50, 0.48, 0.47, 0.47, 0.47, 0.46], abs=0.02)


def test_total_variation_does_not_change_with_sign_but_does_with_a_constant() -> None:
    values = heatmap("blurred 2")
    assert autvc(-values) == pytest.approx(autvc(values), rel=1e-12)
    assert abs(autvc(values + 1) - autvc(values)) > 0.1


# --- noise baselines -------------------------------------------------------------------------------------------------------


def test_uniform_baselines_fill_the_legal_range_of_every_channel() -> None:
    model = zoo.model(zoo.residual())
    images = torch.zeros(4, 3, 40, 40)
    filled = Uniform()(images, model.bounds, Draws.for_images(0, images + torch.arange(4.0).view(4, 1, 1, 1)), 0)
    lower, upper = model.bounds.like(images)
    assert ((filled >= lower) & (filled <= upper)).all()
    pixels = model.bounds.to_pixels(filled)
    assert pixels.mean().item() == pytest.approx(0.5, abs=0.01)
    assert pixels.var().item() == pytest.approx(1 / 12, abs=0.003)
