"""zennit as a witness: it agrees on plain chains of modules, and differs where hooks on modules do not reach."""

import pytest
import torch
from torch import Tensor, nn
from zennit import attribution, composites

from heatproof.methods import GuidedBackprop, Lrp
from heatproof.relevance.composites import Composite
from tests.support import zoo
from tests.support.close import assert_close, gap

ADD = {"epsilon": 1e-6, "mode": "add"}


def chain() -> nn.Module:
    net = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 5, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)),
    )
    return zoo.filled(net.double(), seed=31, scale=2)


def theirs(composite: object, net: nn.Module, images: Tensor, relevance: bool = True) -> Tensor:
    with attribution.Gradient(model=net.eval(), composite=composite) as attributor:
        scores = net(images).detach()
        one = torch.eye(4, dtype=torch.float64)[[1] * len(images)]
        return attributor(images, one * scores if relevance else one)[1].detach()


def ours(**rules: object) -> dict[str, object]:
    return {"pool": {"name": "epsilon", "stabiliser": ADD}, "dense": {"name": "epsilon", "stabiliser": ADD}, **rules}


CONV = {
    "z_plus": {"name": "z_plus", "stabiliser": ADD},
    "alpha_beta": {"name": "alpha_beta", "stabiliser": ADD},
    "gamma": {"name": "gamma", "stabiliser": ADD},
}
PAIRS = {
    "epsilon_plus": ("EpsilonPlus", {}, ours(convolution=CONV["z_plus"])),
    "epsilon_plus_flat": ("EpsilonPlusFlat", {}, ours(convolution=CONV["z_plus"], first={"name": "flat", "stabiliser": ADD})),
    "epsilon_alpha2_beta1": ("EpsilonAlpha2Beta1", {}, ours(convolution=CONV["alpha_beta"])),
    "epsilon_gamma_box": (
        "EpsilonGammaBox",
        {"low": -3.0, "high": 3.0},
        ours(convolution=CONV["gamma"], first={"name": "z_box", "stabiliser": ADD}),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_maps_agree_on_a_chain_of_modules(name: str) -> None:
    their_name, arguments, rules = PAIRS[name]
    net, images = chain(), zoo.images(3, dtype=torch.float64).clamp(-2.9, 2.9)
    given = {key: torch.full((1, 3, 1, 1), value, dtype=torch.float64) for key, value in arguments.items()}
    expected = theirs(getattr(composites, their_name)(**given), net, images)
    model = zoo.model(net, dtype=torch.float64)
    model = model.with_(bounds=type(model.bounds).of(-3, 3, 3))
    found = Lrp(composite=Composite.from_dict({"name": name, **rules})).attribute(model, images, 1).values
    assert_close(found, expected, 1e-6)


def test_guided_backprop_agrees_on_modules_and_is_right_on_functions() -> None:
    net, images = chain(), zoo.images(3, dtype=torch.float64)
    found = GuidedBackprop().attribute(zoo.model(net, dtype=torch.float64), images, 1).values
    assert_close(found, theirs(composites.GuidedBackprop(), net, images, relevance=False), 1e-10)


class Residual(nn.Module):
    """A sum that hooks on modules do not see."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Linear(3, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.inner(x)).mean((2, 3)))


def test_a_residual_sum_is_shared_here_and_doubled_by_hooks_on_modules() -> None:
    net, images = zoo.filled(Residual().double(), seed=32, scale=1), zoo.images(3, dtype=torch.float64)
    found = Lrp(composite="lrp_epsilon").attribute(zoo.model(net, dtype=torch.float64), images, 1)
    assert float(found.gap.max()) < 1e-3
    hooked = theirs(composites.EpsilonPlus(), net, images)
    assert gap(hooked.flatten(1).sum(1), found.expected_sum) > 0.05
