"""A constant that is added to a layer counts as its bias, and what constants take is among the leaks."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.methods import DeepTaylor, Lrp, Method, PatternAttribution
from heatproof.models import Bounds, Model
from heatproof.models.outputs import Probability
from heatproof.passes.patterns import fit_patterns
from heatproof.relevance.composites import EpsilonPlus, LrpEpsilon
from heatproof.relevance.rules import AlphaBeta, Gamma, LinearRule, ZPlus
from tests.support import zoo
from tests.support.close import assert_close, gap

Join = Callable[[Tensor, Tensor, Tensor], Tensor]
ROWS = zoo.normal(3, 5, seed=4).double()
BOUNDS = Bounds.of(-4, 4, 5)

SCALE = torch.tensor([0.5, -2.0, 1.0, -0.1, 3.0, 0.7], dtype=torch.float64)

DENSE: dict[str, Join] = {
    "added": lambda x, w, b: F.linear(x, w) + b,
    "added first": lambda x, w, b: b + F.linear(x, w),
    "added in place": lambda x, w, b: F.linear(x, w).add_(b),
    "a multiple added": lambda x, w, b: torch.add(F.linear(x, w), b / 3, alpha=3),
    "added twice": lambda x, w, b: F.linear(x, w, b / 4) + b / 2 + b / 4,
    "subtracted": lambda x, w, b: F.linear(x, w) - -b,
    "subtracted from": lambda x, w, b: b - F.linear(x, -w),
    "a view of the parameter": lambda x, w, b: F.linear(x, w.t().t()) + b[None, :],
    "matmul": lambda x, w, b: x @ w.T + b,
    "matmul from the left": lambda x, w, b: (w @ x.T + b[:, None]).T,
    "einsum": lambda x, w, b: torch.einsum("bi,oi->bo", x, w) + b,
    "addmm": lambda x, w, b: torch.addmm(b, x, w.T),
    "addmm with numbers": lambda x, w, b: torch.addmm(b / 2, x, w.T / 3, beta=2, alpha=3),
    "method addmm": lambda x, w, b: b.expand(len(x), -1).addmm(x, w.T),
    "shapes between": lambda x, w, b: (F.linear(x, w).view(-1, 3, 2).transpose(1, 2) + b.view(3, 2).T).transpose(1, 2).flatten(1),
    "actnorm": lambda x, w, b: (F.linear(x, w / SCALE[:, None]) + b / SCALE) * SCALE,
    "scale and bias": lambda x, w, b: SCALE * F.linear(x, w / SCALE[:, None]) + b,
    "a number between": lambda x, w, b: F.linear(x, w / 3) * 3 + b,
    "split": lambda x, w, b: torch.cat([h + c for h, c in zip(F.linear(x, w).chunk(2, 1), b.chunk(2), strict=True)], 1),
}


class Biased(nn.Module):
    """A dense layer whose bias is its own, or joined otherwise."""

    def __init__(self, join: Join | None) -> None:
        super().__init__()
        self.first, self.layer, self.head, self.join = nn.Linear(5, 5), nn.Linear(5, 6), nn.Linear(6, 3), join
        zoo.filled(self, seed=71, scale=2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        h = self.layer(x) if self.join is None else self.join(x, self.layer.weight, self.layer.bias)
        return self.head(F.relu(h))


METHODS: dict[str, Method] = {
    **{name: Lrp(composite=name) for name in ("lrp_z", "lrp_epsilon", "epsilon_plus", "z_plus_everywhere", "attn_lrp")},
    **{rule.name: Lrp(composite=LrpEpsilon(dense=rule)) for rule in (Gamma(), AlphaBeta(), ZPlus())},
    "deep_taylor": DeepTaylor(),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_bias_has_one_map_inside_a_layer_and_after_it(name: str) -> None:
    own, apart = (Model(Biased(join).double(), BOUNDS) for join in (None, DENSE[name]))
    for method in METHODS.values():
        assert_close(
            method.attribute(apart, ROWS, 1).values, method.attribute(own, ROWS, 1).values, 1e-5
        )  # ε is relative to other outputs


class Patches(nn.Module):
    """Patches, a class token and a table of positions, as in a vision transformer; or one layer that gives these tokens."""

    def __init__(self, apart: bool) -> None:
        super().__init__()
        self.embed, self.head, self.apart = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(20, 3), apart
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, 4)), nn.Parameter(torch.zeros(1, 5, 4))
        zoo.filled(self, seed=72, scale=2)

    def forward(self, x: Tensor) -> Tensor:
        if self.apart:
            tokens = self.embed(x).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.positions
        else:
            bias = self.embed.bias[None, :, None] + self.positions[:, 1:].transpose(1, 2)  # an image of biases
            tokens = (F.conv2d(x, self.embed.weight, stride=4) + bias.view(1, 4, 2, 2)).flatten(2).transpose(1, 2)
            tokens = torch.cat([(self.token + self.positions[:, :1]).expand(len(x), -1, -1), tokens], 1)
        return self.head(F.gelu(tokens).flatten(1))


@pytest.mark.parametrize("rule", [None, Gamma(), ZPlus(), AlphaBeta()], ids=str)
def test_a_table_of_positions_is_a_bias_of_the_embedding(rule: LinearRule | None) -> None:
    composite = LrpEpsilon() if rule is None else EpsilonPlus(convolution=rule)
    images = zoo.images(2, dtype=torch.float64)
    found, expected = (
        Lrp(composite=composite).attribute(zoo.model(Patches(apart), dtype=torch.float64), images, 1).values
        for apart in (True, False)
    )
    assert_close(found, expected, 1e-5)  # stabilisers are relative to all tokens or to those of patches


def test_patterns_of_a_layer_do_not_depend_on_where_its_bias_is_added() -> None:
    found = []
    for join in (None, DENSE["added"]):
        model = Model(Biased(join).double(), BOUNDS)
        patterns = fit_patterns(model, zoo.normal(40, 5, seed=9).double())
        found.append(PatternAttribution(patterns=patterns).attribute(model, ROWS, 1).values)
    assert_close(*found, 1e-9)


def lost(method: Lrp, model: Model, images: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """What the map lacks of the scores, the leaks by the name of their operation, and the sum of the leaks."""
    target = torch.ones(len(images), dtype=torch.long)
    leaks = method.leaks(model, images, target)
    found = method.attribute(model, images, 1)
    missing = found.expected_sum.sum() - found.values.sum()
    return (
        missing,
        {leak.operation: leak.above - leak.below for leak in leaks},
        torch.stack([x.above - x.below for x in leaks]).sum(),
    )


def _padded(h: Tensor) -> Tensor:
    return F.pad(h, (2, 1), value=0.7)


def _filled(h: Tensor) -> Tensor:
    return h.masked_fill(torch.tensor([True, False, False, True]), 0.7)


def _token(h: Tensor) -> Tensor:
    return torch.cat([torch.full((len(h), 2), 0.7, dtype=h.dtype), h], 1)


def _stacked(h: Tensor) -> Tensor:
    return torch.stack([h, torch.full_like(h, 0.7)], 1).flatten(1)


def _written(h: Tensor) -> Tensor:
    h = h + 0
    h[:, 1:3] = 0.7
    return h


def _chosen(h: Tensor) -> Tensor:
    return torch.where(torch.tensor([True, False, False, True]), h, 0.7)


@pytest.mark.parametrize(
    ("constants", "operation"),
    [(_token, "cat"), (_padded, "pad"), (_filled, "masked_fill"), (_stacked, "stack"), (_written, "setitem"), (_chosen, "where")],
)
def test_what_constants_take_is_a_leak_of_its_own_and_all_leaks_add_up(
    constants: Callable[[Tensor], Tensor], operation: str
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(5, 4), nn.Linear(constants(torch.zeros(1, 4)).shape[1], 3)
            zoo.filled(self, seed=73, scale=2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(constants(F.relu(self.inner(x))))

    missing, operations, absorbed = lost(Lrp(composite="lrp_epsilon"), Model(Net().double(), BOUNDS), ROWS)
    assert_close(absorbed, missing, 1e-9)
    assert abs(float(operations[operation])) > 1e-3


def test_what_the_output_function_takes_is_a_leak_as_well() -> None:
    model = zoo.model(zoo.residual(), dtype=torch.float64, output=Probability())
    missing, operations, absorbed = lost(Lrp(composite="epsilon_plus"), model, zoo.images(3, dtype=torch.float64))
    assert_close(absorbed, missing, 1e-9)
    assert abs(float(operations["explained score"])) > 1e-6


def test_a_tensor_taken_as_a_tensor_is_itself() -> None:
    maps = []
    for change in (torch.as_tensor, lambda h: torch.as_tensor(h, dtype=torch.float64), lambda h: h):
        model = Model(Biased(lambda x, w, b, change=change: change(F.linear(x, w, b))).double(), BOUNDS)
        maps.append(Lrp(composite="epsilon_plus").attribute(model, ROWS, 1).values)
    for values in maps[:-1]:
        assert_close(values, maps[-1], 1e-12)


def test_a_constant_after_something_else_passes_all_relevance_on() -> None:
    """As documented: a bias is a part of a layer only where nothing but shapes lies between."""
    between = Model(Biased(lambda x, w, b: -F.linear(x, -w) + b).double(), BOUNDS)
    own = Model(Biased(None).double(), BOUNDS)
    found, expected = (Lrp(composite="lrp_epsilon").attribute(model, ROWS, 1).values for model in (between, own))
    assert gap(found, expected) > 1e-3
