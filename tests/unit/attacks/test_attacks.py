"""What an attack may do, what it does to a trained network, and what it cannot do to a linear one."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.attacks import Attack, MassCentre, RandomSign, Targeted, TopK
from heatproof.attacks.differentiable_map import DifferentiableMap, salience
from heatproof.core.errors import SettingsError
from heatproof.core.settings import exports
from heatproof.methods import ExpectedGradients, GradCam, Gradient, IntegratedGradients, LayerCam, Method, SmoothGrad
from heatproof.metrics import SimilarityUnderChange
from heatproof.models import Bounds, Model, Regression
from heatproof.numerics.centre_of_mass import centre_of_mass
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.numerics.similarity import cosine, top_k_intersection
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.counting import count_passes
from heatproof.perturb.changes import Change, ChangeContext
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Blurred, Uniform
from tests.support import zoo
from tests.support.close import assert_close, assert_different
from tests.support.state import state_of, state_of_chance, state_of_tensor

EPSILON = 0.08
SHARE = 0.05
FAST: list[Attack] = [
    RandomSign(),
    TopK(steps=8, rate=0.25, share=SHARE),
    MassCentre(steps=8, rate=0.25),
    Targeted(steps=8, rate=0.25),
]
FOUR = {"integrated_gradients": {"quadrature": {"steps": 4}}, "smooth_grad": {"samples": 4}, "smooth_taylor": {"samples": 4}}
PURSUED: dict[str, Method] = {
    name: Method.from_dict({"name": name, **FOUR.get(name, {})})
    for name in ("gradient", "input_x_gradient", "integrated_gradients", "smooth_grad", "smooth_taylor", "grad_cam")
}
FURTHER: dict[str, Method] = {
    "integrated gradients from noise": IntegratedGradients(baseline=Uniform(), baselines=2, quadrature=GaussLegendre(steps=2)),
    "integrated gradients from the blurred image": IntegratedGradients(
        baseline=Blurred(sigma=0.1), quadrature=GaussLegendre(steps=3)
    ),
    "expected_gradients": ExpectedGradients(baselines=2, strata=2),
    "smooth_grad of integrated gradients": SmoothGrad(samples=2, method=IntegratedGradients(quadrature=GaussLegendre(steps=2))),
    "smooth_grad of grad_cam": SmoothGrad(samples=3, method=GradCam()),
    "grad_cam at a layer that is named": GradCam(layer="1"),
    "signed grad_cam": GradCam(relu=False),
    "layer_cam": LayerCam(),
}
pursued = pytest.mark.parametrize("of", PURSUED.values(), ids=PURSUED.keys())
differentiable = pytest.mark.parametrize("of", [*PURSUED.values(), *FURTHER.values()], ids=[*PURSUED, *FURTHER])
by_name = pytest.mark.parametrize("attack", FAST, ids=lambda attack: attack.name)


def situation(model: Model, images: Tensor, target: Tensor | None = None, seed: int = 0) -> ChangeContext:
    target = model.outputs(images).argmax(1) if target is None else target
    return ChangeContext(images, model.bounds, target, model, lambda x: Gradient().attribute(model, x, target).values, seed)


def shapes(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy pictures of a cross, a frame, a bar or a diagonal, anywhere."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.zeros(4, 7, 7)
    kinds[0, 3], kinds[0, :, 3] = 1, 1
    kinds[1, [0, -1]], kinds[1, :, [0, -1]] = 1, 1
    kinds[2, 2:5] = 1
    kinds[3] = torch.eye(7)
    labels = torch.randint(4, (n,), generator=generator)
    places = torch.randint(9, (n, 2), generator=generator)
    images = 0.2 * torch.rand(n, 1, 16, 16, generator=generator)
    for image, label, (i, j) in zip(images, labels, places.tolist(), strict=True):
        image[0, i : i + 7, j : j + 7] += 0.7 * kinds[label]
    return images, labels


class Trained(NamedTuple):
    model: Model
    images: Tensor
    label: Tensor

    def maps(self, images: Tensor) -> Tensor:
        return salience(Gradient().attribute(self.model, images, self.label).values)

    def after(self, attack: Attack, level: float = EPSILON) -> Tensor:
        return attack(situation(self.model, self.images), [level])[0]


@pytest.fixture(scope="module")
def trained() -> Trained:
    convs = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True)]
    network = zoo.filled(nn.Sequential(*convs, nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(256, 4)), seed=5, scale=1.4)
    images, labels = shapes(1200, seed=1)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for epoch in range(8):
        for rows in torch.randperm(1200, generator=torch.Generator().manual_seed(epoch)).split(50):
            optimiser.zero_grad()
            F.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimiser.step()
    network.zero_grad()
    test, truth = shapes(200, seed=2)
    guessed = network.eval()(test).argmax(1)
    assert (guessed == truth).float().mean() > 0.9
    return Trained(Model(network, Bounds.of(0, 1, 1), chunk=16), test[:12], guessed[:12])


# --- on a trained network ----------------------------------------------------------------------------------------------------


@by_name
def test_the_change_is_small_legal_and_keeps_the_decision(trained: Trained, attack: Attack) -> None:
    for level, x in zip((0.02, EPSILON), attack(situation(trained.model, trained.images), [0.02, EPSILON]), strict=True):
        assert (x - trained.images).abs().max() <= level + 1e-6
        assert x.min() >= 0
        assert x.max() <= 1
        assert torch.equal(trained.model.outputs(x).argmax(1), trained.label)
        assert not torch.equal(x, trained.images)


def test_aiming_at_the_top_pixels_does_more_than_chance(trained: Trained) -> None:
    start, k = trained.maps(trained.images), round(SHARE * 256)
    aimed, chance = (top_k_intersection(trained.maps(trained.after(a)), start, k).mean() for a in (TopK(share=SHARE), RandomSign()))
    assert aimed < 0.7 * chance
    assert chance < 1


def test_aiming_at_the_centre_of_mass_moves_it_further_than_chance(trained: Trained) -> None:
    start = centre_of_mass(trained.maps(trained.images))
    aimed, chance = (
        (centre_of_mass(trained.maps(trained.after(a))) - start).norm(dim=1).mean() for a in (MassCentre(), RandomSign())
    )
    assert aimed > 2 * chance


@pytest.mark.parametrize("attack", [Targeted(), Targeted(top=0.6, left=0.25, height=0.4, width=0.3)], ids=str)
def test_aiming_at_a_rectangle_brings_mass_there(trained: Trained, attack: Targeted) -> None:
    rows, columns = attack.rectangle(16, 16)
    inside = {name: trained.maps(x)[:, rows, columns].sum((1, 2)).mean() for name, x in {
        "clean": trained.images, "aimed": trained.after(attack), "chance": trained.after(RandomSign())
    }.items()}  # fmt: skip
    assert inside["aimed"] > 1.3 * max(inside["clean"], inside["chance"])


@pytest.mark.parametrize("attack", FAST[1:], ids=lambda attack: attack.name)
def test_the_best_iterate_is_no_worse_than_the_image(trained: Trained, attack: Attack) -> None:
    start = trained.maps(trained.images)
    levels = attack(situation(trained.model, trained.images), [0, 0.001, EPSILON])
    assert torch.equal(levels[0], trained.images)
    for x in levels:
        assert (attack.selection(trained.maps(x), start) >= attack.selection(start, start)).all()


@pursued
def test_every_map_that_is_pursued_moves_more_than_by_chance(trained: Trained, of: Method) -> None:
    attack = TopK(of=of, steps=20, share=SHARE)
    followed = DifferentiableMap(trained.model, trained.images, trained.label, Draws.for_images(0, trained.images), of, attack.beta)
    start = followed.maps(trained.images)
    aimed, chance = (
        top_k_intersection(followed.maps(trained.after(a)), start, round(SHARE * 256)).mean() for a in (attack, RandomSign())
    )
    assert aimed < chance


# --- the maps that are pursued -----------------------------------------------------------------------------------------------


@differentiable
def test_a_map_of_the_network_itself_is_that_of_the_method(of: Method) -> None:
    model, images, target = zoo.model(zoo.bias_free_conv(), chunk=3), zoo.images(4), torch.tensor([0, 1, 2, 3])
    followed = DifferentiableMap(model, images, target, Draws.for_images(5, images), of, beta=2.0)
    assert_close(followed.maps(images), salience(of.attribute(model, images, target, seed=5).values), 1e-5)


@differentiable
def test_the_derivative_is_the_slope_of_the_softened_map(of: Method) -> None:
    """By finite differences in float64."""
    model, images = zoo.model(zoo.bias_free_conv(), dtype=torch.float64, chunk=3), zoo.images(2, dtype=torch.float64)
    followed = DifferentiableMap(model, images, torch.tensor([0, 1]), Draws.for_images(5, images), of, beta=2.0)
    weights = zoo.normal(2, 8, 8, seed=9, dtype=torch.float64)

    def judge(maps: Tensor, rows: slice) -> Tensor:
        return (weights[rows] * maps.square()).sum((1, 2))

    way, step = zoo.normal(*images.shape, seed=10, dtype=torch.float64), 1e-6
    slope = (followed.derivative(images, judge) * way).flatten(1).sum(1)
    above, below = (judge(followed.softened_maps(images + sign * step * way), slice(None)) for sign in (1, -1))
    assert_close(slope, (above - below) / (2 * step), 1e-5)
    assert slope.abs().max() > 0


def test_a_map_sums_to_the_number_of_pixels_or_is_zero() -> None:
    attribution = torch.stack([zoo.normal(3, 5, 4, seed=1), torch.zeros(3, 5, 4)])
    assert_close(salience(attribution).sum((1, 2)), torch.tensor([20.0, 0.0]), 1e-6)


def test_the_centre_of_one_pixel_is_that_pixel() -> None:
    point = torch.zeros(1, 5, 4)
    point[0, 3, 1] = 7
    assert centre_of_mass(point).tolist() == [[3, 1]]
    assert centre_of_mass(torch.ones(1, 5, 4)).tolist() == [[2, 1.5]]


# --- laws ----------------------------------------------------------------------------------------------------------------------


@by_name
def test_the_gradient_of_a_linear_network_is_immune(attack: Attack) -> None:
    model, images = zoo.model(zoo.Linear((3, 8, 8))), zoo.images(4)
    at = situation(model, images)
    (x,) = attack(at, [0.1])
    assert_close(cosine(at.explain(x), at.explain(images)), torch.ones(4), 1e-6)
    assert_close(top_k_intersection(at.explain(x), at.explain(images), 10), torch.ones(4), 0)


@pytest.mark.parametrize("name", ["residual", "smooth", "bias-free relu", "relu in place"])
@by_name
def test_every_attack_runs_on_every_network_and_leaves_it_alone(attack: Attack, name: str) -> None:
    model, images = zoo.model(zoo.NETWORKS[name]()), zoo.images(3)
    model.module.train()
    target = torch.tensor([0, 1, 2])
    before = state_of(model.module), state_of_tensor(images), state_of_chance()
    (x,) = attack(ChangeContext(images, model.bounds, target, model, lambda x: x, 0), [0.05])
    assert (state_of(model.module), state_of_tensor(images), state_of_chance()) == before
    lower, upper = model.bounds.like(images)
    assert ((x - images).abs() <= 0.05 * (upper - lower) + 1e-6).all()
    assert (x <= torch.maximum(upper, images)).all()
    assert (x >= torch.minimum(lower, images)).all()
    assert x.isfinite().all()


@pytest.mark.parametrize("name", ["smooth", "bias-free relu"])
def test_the_centre_moves_on_a_network_that_is_smooth_by_itself(name: str) -> None:
    """At the image itself the squared way gone has no slope, so that the first step goes anywhere."""
    model, images = zoo.model(zoo.NETWORKS[name]()), zoo.images(3)
    assert_different(MassCentre(steps=8, rate=0.25)(situation(model, images), [0.1])[0], images)


@by_name
@pytest.mark.parametrize(
    "of", ["gradient", {"name": "integrated_gradients", "quadrature": {"steps": 2}}], ids=["one term", "two terms"]
)
def test_an_image_does_not_depend_on_its_batch_mates_or_on_chunks(trained: Trained, attack: Attack, of: object) -> None:
    if not isinstance(attack, RandomSign):
        attack = type(attack)(**{**dict(attack), "of": of, "steps": 4})
    module = trained.model.module.double()
    try:
        model, images = trained.model.with_(chunk=5), trained.images[:6].double()
        at = situation(model, images)
        (together,) = attack(at, [EPSILON])
        apart = [attack(situation(model.with_(chunk=1), image[None]), [EPSILON])[0] for image in images[:2]]
        assert_close(together[:2], torch.cat(apart), 1e-5)
        (turned,) = attack(situation(model, images.flip(0)), [EPSILON])
        assert_close(turned.flip(0), together, 1e-5)
        assert torch.equal(attack(at, [EPSILON])[0], together)
    finally:
        module.float()


def test_random_signs_are_the_seeds_and_the_same_at_every_level(trained: Trained) -> None:
    def signs(seed: int, levels: list[float]) -> list[Tensor]:
        middle = trained.images * 0 + 0.5 + trained.images / 100
        constant = trained.model.with_(module=nn.Sequential(nn.Flatten(), nn.Linear(256, 1)), output=Regression())
        at = ChangeContext(middle, constant.bounds, trained.label * 0, constant, lambda x: x, seed)
        return [(x - middle).sign() for x in RandomSign()(at, levels)]

    low, high = signs(0, [0.02, 0.3])
    assert torch.equal(low, high)
    assert torch.equal(low, signs(0, [0.1])[0])
    assert abs((low == signs(1, [0.1])[0]).float().mean().item() - 0.5) < 0.05
    assert abs(low.mean().item()) < 0.05


class Touchy(nn.Module):
    """Decides otherwise as soon as anything has changed."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.clean = nn.Parameter(clean)

    def forward(self, x: Tensor) -> Tensor:
        gone = (x - self.clean).abs().flatten(1).amax(1)
        return torch.stack([0.001 + 0 * gone, gone + x.square().flatten(1).sum(1) * 1e-6], dim=1)


@by_name
def test_there_is_no_image_where_the_decision_cannot_be_kept_and_nothing_is_scored(attack: Attack) -> None:
    images = zoo.images(1).clamp(-0.9, 0.9)
    model = zoo.model(Touchy(images))
    untouched, changed = attack(situation(model, images), [0, 0.1])
    assert torch.equal(untouched, images)
    assert changed.isnan().all()
    gradient = Gradient()
    scores = SimilarityUnderChange(change=attack, levels=(0, 0.1)).score(
        model, images, 1, lambda at, target, seed, *_: gradient.attribute(model, at, target, seed=seed)
    )
    assert scores.curve is not None
    assert scores.curve.isnan().tolist() == [[False, True]]
    assert scores.values.tolist() == scores.curve[:, 0].tolist()
    assert [scores.components[name].item() for name in ("scored", "answer")] == [0.5, 1]
    assert all(scores.components[name].isnan() for name in ("last", "moved"))


def test_an_accelerated_model_is_attacked_by_its_plain_module(trained: Trained) -> None:
    fast = apply(Plan(channels_last=True), trained.model, trained.images)
    for attack in FAST:
        at = situation(trained.model, trained.images)
        (found,) = attack(ChangeContext(at.images, at.bounds, at.target, fast, at.explain, 0), [EPSILON])
        assert torch.equal(found, attack(at, [EPSILON])[0])


@pytest.mark.parametrize(
    ("of", "n", "rows"), [("gradient", 1, (3, 4)), ("grad_cam", 1, (3, 4)), ({"name": "smooth_grad", "samples": 5}, 5, (16, 25))]
)
@pytest.mark.parametrize("attack", [TopK, MassCentre])
def test_the_cost_is_as_stated(attack: type[TopK], of: object, n: int, rows: tuple[int, int]) -> None:
    model, images = zoo.model(zoo.bias_free_conv()), zoo.images(2)
    at, levels, chosen = situation(model, images), [0, 0.1, 0.2], attack(of=of, steps=7)
    with count_passes() as spent:
        chosen(at, levels)
    assert chosen.rows(levels) == (n + 1 + 2 * 7 * rows[0], n + 2 * 7 * rows[1])
    assert (spent.forward / 2, spent.backward / 2) == chosen.rows(levels)


def test_random_signs_cost_a_row_a_level_and_a_try(trained: Trained) -> None:
    with count_passes() as spent:
        RandomSign(tries=3)(situation(trained.model, trained.images), [0, 0.01, EPSILON])
    assert RandomSign(tries=3).rows([0, 0.01, EPSILON]) == (7, 0)
    assert 3 * len(trained.images) <= spent.forward <= 7 * len(trained.images)
    assert spent.backward == 0


def test_attention_has_a_second_derivative() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.MultiheadAttention(6, 2, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            tokens = F.pixel_unshuffle(x, 2)[:, :6].flatten(2).transpose(1, 2)
            return self.head(F.relu(self.mix(tokens, tokens, tokens, need_weights=False)[0].mean(1)))

    model, images = zoo.model(zoo.filled(Attending(), seed=7)), zoo.images(2)
    assert_different(TopK(steps=4, rate=0.25)(situation(model, images), [0.1])[0], images)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TopK(share=0), "share"),
        (lambda: TopK(share=1), "share"),
        (lambda: TopK(beta=0), "beta"),
        (lambda: TopK(steps=0), "steps"),
        (lambda: TopK(rate=2), "rate"),
        (lambda: TopK(of="nothing"), "of"),
        (lambda: TopK(of="lrp"), "of: expected a method whose map can be differentiated .*, got lrp"),
        (lambda: TopK(of={"name": "smooth_taylor", "tolerance": 0.1}), "of: expected probes that are the same for every network"),
        (lambda: TopK(of={"name": "expected_gradients", "positions": "adaptive"}), "of: expected probes that are the same"),
        (lambda: TopK(of={"name": "smooth_grad", "moment": "variance"}), "of: expected moment='mean'"),
        (lambda: TopK(of={"name": "smooth_grad", "method": "lrp"}), "of: expected a method whose map can be differentiated"),
        (lambda: Targeted(left=0.7), r"expected left \+ width of at most 1"),
        (lambda: Targeted(height=1, width=1), "smaller than the image"),
        (lambda: RandomSign(tries=0), "tries"),
        (lambda: RandomSign(steps=3), "no such setting"),
    ],
)
def test_bad_settings_are_refused(build: Callable[[], Attack], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build()


@by_name
@pytest.mark.parametrize("levels", [[-0.1], [0.1, 1.5], [float("nan")]])
def test_a_level_that_is_no_share_is_refused(attack: Attack, levels: list[float]) -> None:
    with pytest.raises(SettingsError, match="shares of the legal range, from 0 to 1"):
        attack(situation(zoo.model(zoo.residual()), zoo.images(1)), levels)


def test_every_attack_is_tried_here() -> None:
    missing = set(exports(Attack)) - {attack.name for attack in FAST}
    assert missing == set(), "add these attacks to FAST, with settings that take a second"


def test_attacks_are_changes_by_name() -> None:
    assert set(exports(Attack)) <= set(exports(Change))
    assert Change.from_dict({"name": "top_k", "share": 0.1}) == TopK(share=0.1)
