"""Nothing stays after a call: after three calls as many tensors and bytes are alive as after two, errors included."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from heatproof.attacks import Attack, MassCentre, RandomSign, Targeted, TopK
from heatproof.core.errors import HeatproofError
from heatproof.core.settings import exports
from heatproof.methods import DeepLift, Gradient, Method
from heatproof.models import Model
from heatproof.perturb.changes import ChangeContext
from tests.laws.cases import METHODS, METRICS, suited
from tests.laws.test_metrics import SIDE, score
from tests.support.alive import left_behind
from tests.zoo import ZOO
from tests.zoo.network import Step, drawn

NETWORKS = ("in place", "functional dropout")
"""Networks whose tensors are replaced while they are followed, and networks that are refused when a map is half done."""
ATTACKS: Mapping[str, Attack] = {
    attack.name: attack for attack in (RandomSign(), TopK(steps=2), MassCentre(steps=2), Targeted(steps=2))
}

networks = pytest.mark.parametrize("network", NETWORKS)


class Broken(Exception):
    """What a network raises that is not the library's error."""


def quiet(call: Callable[[], object]) -> Callable[[], None]:
    """The call, of which nothing is kept, and whose error ends here."""

    def made() -> None:
        with suppress(HeatproofError, Broken):
            call()

    return made


def images() -> Tensor:
    return drawn(3, SIDE, SIDE)


@networks
def test_no_metric_leaves_a_tensor_behind(network: str) -> None:
    model, calls = ZOO[network].model(), {}
    for family, variants in METRICS.items():
        method = Gradient() if family.name in ("completeness", "input_invariance") else DeepLift()
        calls[family.name] = quiet(partial(score, next(iter(variants.values())), model, images(), method=method))
    assert left_behind(calls) == {}


@networks
def test_no_attack_leaves_a_tensor_behind(network: str) -> None:
    model, target = ZOO[network].model(), torch.tensor([0, 1])

    def explain(x: Tensor) -> Tensor:
        return Gradient().attribute(model, x, target).values

    context = ChangeContext(images(), model.bounds, target, model, explain, 0)
    assert ATTACKS.keys() == exports(Attack).keys() - {"gradient_attack", "attack"}
    assert left_behind({name: quiet(partial(attack, context, (0.02, 0.05))) for name, attack in ATTACKS.items()}) == {}


def raising(x: Tensor) -> Tensor:
    """Fails in the middle."""
    raise Broken


def broken() -> Model:
    """A network that works in place, and then fails."""
    return ZOO["in place"].model(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.ReLU(inplace=True), Step(raising)))


def test_no_method_leaves_a_tensor_behind_when_the_network_fails() -> None:
    model, rows = broken(), images()

    def call(method: Method) -> None:
        suited(method, ZOO["in place"].model(), rows).attribute(model, rows, 0)

    calls = {family.name: quiet(partial(call, next(iter(variants.values())))) for family, variants in METHODS.items()}
    assert left_behind(calls) == {}
