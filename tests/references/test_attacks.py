"""The attacks against their slow twins."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.attacks import GradientAttack, MassCentre, RandomSign, Targeted, TopK
from heatproof.models import Model
from heatproof.perturb.changes import ChangeContext
from heatproof.perturb.draws import Draws
from tests.references import attacks as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close, assert_different


def network(activation: nn.Module) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), activation, nn.Conv2d(6, 6, 3, stride=2), activation, nn.Flatten(), nn.Linear(54, 4)
    )
    return zoo.filled(layers, seed=31).double()


def situation(model: Model, images: Tensor, target: Tensor) -> ChangeContext:
    return ChangeContext(images, model.bounds, target, model, lambda x: x, seed=0)


RULES: dict[str, tuple[GradientAttack, Callable[[Tensor], tuple[slow.Objective, slow.Objective]]]] = {
    "top_k": (TopK(share=0.1, steps=12, rate=0.2, beta=4.0), lambda start: slow.top_k_rule(start, 6)),
    "mass_centre": (MassCentre(steps=12, rate=0.2, beta=4.0), slow.mass_centre_rule),
    "targeted": (
        Targeted(top=0.5, left=0.25, height=0.25, width=0.5, steps=12, rate=0.2, beta=4.0),
        lambda start: slow.targeted_rule(range(4, 6), range(2, 6)),
    ),
}


@twin_of("mass_centre", "targeted", "top_k")
@pytest.mark.parametrize("name", RULES)
def test_an_attack_is_algorithm_1(name: str) -> None:
    attack, rule = RULES[name]
    bent, smooth = network(nn.ReLU()), network(nn.Softplus(beta=4.0))
    model, images, target = zoo.model(bent, dtype=torch.float64), zoo.images(3, dtype=torch.float64), torch.tensor([0, 1, 2])
    (attacked,) = attack(situation(model, images, target), [0.05])
    bounds = (model.bounds.lower.double(), model.bounds.upper.double())
    for i, image in enumerate(images):
        expected = slow.algorithm_1(
            lambda x: bent(x[None])[0], lambda x: smooth(x[None])[0], image, int(target[i]), bounds, 0.05, 12, 0.2, rule
        )
        assert_close(attacked[i], expected, 1e-12)
    assert_different(attacked, images)


@twin_of("random_sign")
def test_random_signs_go_as_far_as_they_may() -> None:
    model, images = zoo.model(network(nn.ReLU()), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    level = 0.01
    (changed,) = RandomSign(tries=1)(situation(model, images, torch.tensor([0, 1, 2])), [level])
    draws = Draws.for_images(0, images).uniform("random sign", 0, images.shape[1:])
    for i, image in enumerate(images):
        expected = image.clone()
        for c in range(3):
            low, high = float(model.bounds.lower[c]), float(model.bounds.upper[c])
            for at in [(c, row, column) for row in range(8) for column in range(8)]:
                clean = float(image[at])
                moved = clean + level * (high - low) * (1 if float(draws[(i, *at)]) < 0.5 else -1)
                expected[at] = min(max(moved, min(low, clean)), max(high, clean))
        same = model.module(expected[None]).argmax() == model.module(image[None]).argmax()
        assert_close(changed[i], expected if same else torch.full_like(image, torch.nan), 1e-6)
