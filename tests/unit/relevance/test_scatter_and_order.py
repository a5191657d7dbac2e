"""Scattered sums, extrema, sorting, grids: LRP conserves, DeepLIFT reaches the change of the score, or a reason is given."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import DeepLift, GuidedBackprop, Lrp
from heatproof.models import Bounds, Model
from heatproof.numerics.average_jacobian import in_order, maxima, minima
from tests.support import zoo
from tests.support.close import assert_close

ROWS = zoo.normal(4, 6, seed=8).double()
BOUNDS = Bounds.of(-3, 3, 6)
PLACES = torch.tensor([0, 1, 1, 3, 0, 2])
GRID = torch.linspace(-0.9, 0.9, 12).double().view(1, 2, 3, 2)
Change = Callable[[Tensor], Tensor]


class Changed(nn.Module):
    """Two dense layers without biases, and an operation of twelve features that gives six, between them."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.inner, self.head, self.change = nn.Linear(6, 12, bias=False), nn.Linear(6, 3, bias=False), change
        zoo.filled(self, seed=81, scale=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.change(self.inner(x)).flatten(1))


def model(change: Change) -> Model:
    return Model(Changed(change).double(), BOUNDS)


def halves(h: Tensor) -> tuple[Tensor, Tensor]:
    return h[:, :6], h[:, 6:]


def _into_zeros(h: Tensor) -> Tensor:
    target = torch.zeros(len(h), 6, dtype=h.dtype)
    target.index_add_(1, PLACES, h[:, :6])
    return target


def _into_zeros_by_scatter(h: Tensor) -> Tensor:
    return torch.zeros(len(h), 6, dtype=h.dtype).scatter_add_(1, PLACES.expand(len(h), -1), h[:, :6])


def reduced(reduction: str, include_self: bool) -> Change:
    def change(h: Tensor) -> Tensor:
        to, values = halves(h)
        return to.scatter_reduce(1, PLACES.expand(len(h), -1), values, reduce=reduction, include_self=include_self)

    return change


CHANGES: dict[str, Change] = {
    "index_add": lambda h: torch.index_add(h[:, :6], 1, PLACES, h[:, 6:]),
    "index_add, a multiple": lambda h: h[:, :6].index_add(1, PLACES, h[:, 6:], alpha=-2),
    "index_add, in place": _into_zeros,
    "scatter_add": lambda h: h[:, :6].scatter_add(1, PLACES.expand(len(h), -1), h[:, 6:]),
    "scatter_add, in place": _into_zeros_by_scatter,
    **{
        f"scatter_reduce, {reduction}{'' if own else ', without the target'}": reduced(reduction, own)
        for reduction in ("sum", "mean", "amax", "amin")
        for own in (True, False)
    },
    "maximum": lambda h: torch.maximum(*halves(h)),
    "minimum": lambda h: torch.minimum(*halves(h)),
    "fmax": lambda h: torch.fmax(*halves(h)),
    "max of two": lambda h: torch.max(*halves(h)),
    "min of two": lambda h: halves(h)[0].min(halves(h)[1]),
    "max along an axis": lambda h: h.view(-1, 6, 2).max(2)[0],
    "min along an axis": lambda h: h.view(-1, 2, 6).min(dim=1).values,
    "amin": lambda h: h.view(-1, 6, 2).amin(2),
    "topk": lambda h: h.topk(6)[0],
    "topk, smallest": lambda h: torch.topk(h, 6, largest=False).values,
    "topk, an axis": lambda h: h.view(-1, 4, 3).topk(2, 1).values,
    "sort": lambda h: h.sort()[0][:, :6],
    "sort, descending": lambda h: torch.sort(h, dim=1, descending=True)[0][:, 3:9],
    "sort, an axis": lambda h: h.view(-1, 4, 3).sort(dim=1)[0].flatten(1)[:, :6],
    "grid_sample": lambda h: F.grid_sample(h.view(-1, 1, 3, 4), GRID.expand(len(h), -1, -1, -1), align_corners=False),
    "addmm": lambda h: torch.addmm(h[:, :6], h, torch.ones(12, 6).double() / 7, beta=0.5, alpha=2),
    "baddbmm": lambda h: torch.baddbmm(h.view(-1, 3, 4)[:, :, :3], h.view(-1, 3, 4), h.view(-1, 4, 3)).flatten(1)[:, :6],
}


@pytest.mark.parametrize("composite", ["lrp_z", "z_plus_everywhere"])
@pytest.mark.parametrize("name", CHANGES)
def test_relevance_is_conserved(name: str, composite: str) -> None:
    found = Lrp(composite=composite).attribute(model(CHANGES[name]), ROWS, 1)
    assert_close(found.values.sum(1), found.expected_sum, 1e-10)
    assert found.values.abs().sum() > 0


@pytest.mark.parametrize("name", CHANGES)
def test_deep_lift_reaches_the_change_of_the_score(name: str) -> None:
    found = DeepLift(baseline="uniform", baselines=3).attribute(model(CHANGES[name]), ROWS, 1)
    assert_close(found.values.sum(1), found.expected_sum, 1e-10)


def test_a_logarithm_of_probabilities_is_complete_to_its_nodes_and_no_rule_shares_it_out() -> None:
    logarithms = model(lambda h: h[:, :6].log_softmax(1))
    assert float(DeepLift().attribute(logarithms, ROWS, 1).gap.max()) < 1e-4
    with pytest.raises(ModelError, match="log_softmax: expected an operation that shares relevance out"):
        Lrp().attribute(logarithms, ROWS, 1)


def test_a_scattered_sum_is_the_sum_of_its_terms() -> None:
    """One place gets several values: the rule of sums over axes and of a sum of two terms, written out."""

    def written_out(h: Tensor) -> Tensor:
        to, values = halves(h)
        return to + torch.stack([values[:, place == PLACES].sum(1) for place in range(6)], 1)

    for composite in ("lrp_epsilon", "z_plus_everywhere", "epsilon_plus"):
        method = Lrp(composite=composite)
        expected = method.attribute(model(written_out), ROWS, 1).values
        for name in ("index_add", "scatter_add", "scatter_reduce, sum"):
            assert_close(method.attribute(model(CHANGES[name]), ROWS, 1).values, expected, 1e-5)  # ε is relative to other sums


def test_samples_are_their_own_in_scattered_sums_and_sorts() -> None:
    for name in ("index_add", "scatter_reduce, amax", "topk", "sort"):
        for method in (Lrp(composite="epsilon_plus"), DeepLift()):
            together, alone = (method.attribute(model(CHANGES[name]), rows, 1).values[0] for rows in (ROWS, ROWS[:1]))
            assert_close(together, alone, 1e-10)


@pytest.mark.parametrize("method", [Lrp(), DeepLift()], ids=lambda method: method.name)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (reduced("prod", True), "scatter_reduce: expected sums, means or extrema, got reduce='prod'"),
        (
            lambda h: F.grid_sample(torch.ones(len(h), 1, 3, 4).double(), torch.tanh(h).view(-1, 2, 3, 2), align_corners=False),
            "grid_sample: expected values that depend on the input",
        ),
    ],
    ids=["product", "moving grid"],
)
def test_what_has_no_rule_is_refused_with_a_reason(change: Change, says: str, method: Lrp) -> None:
    with pytest.raises(ModelError, match=says):
        method.attribute(model(change), ROWS, 1)
    assert GuidedBackprop().attribute(model(change), ROWS, 1).values.any()  # neither is an activation


def test_the_grid_of_a_spatial_transformer_gets_no_relevance() -> None:
    def warped(h: Tensor) -> Tensor:
        return F.grid_sample(h.view(-1, 1, 3, 4), torch.tanh(h).view(-1, 2, 3, 2) * 0.9, align_corners=False)

    def held(h: Tensor) -> Tensor:
        return F.grid_sample(h.view(-1, 1, 3, 4), torch.tanh(h).detach().view(-1, 2, 3, 2) * 0.9, align_corners=False)

    found, expected = (Lrp(composite="lrp_z").attribute(model(change), ROWS, 1) for change in (warped, held))
    assert_close(found.values, expected.values, 1e-12)
    assert_close(found.values.sum(1), found.expected_sum, 1e-10)


# --- average slopes --------------------------------------------------------------------------------------------------------


def slow_k_th(x: list[float], b: list[float], k: int) -> list[float]:
    """The multipliers of the k-th largest value, by the definition in `numerics/average_jacobian.py`, one sample at a time."""
    y, z = sorted(x, reverse=True)[k], sorted(b, reverse=True)[k]
    own, other = (x, b) if y >= z else (b, x)
    largest = sorted(range(len(x)), key=lambda i: -own[i])[: k + 1]
    takes = min(largest, key=lambda i: other[i])
    return [(y - z) / (x[i] - b[i]) if i == takes else 0.0 for i in range(len(x))]


@pytest.mark.parametrize("descending", [True, False])
def test_the_slope_of_a_sort_is_its_slow_twin(descending: bool) -> None:
    x, b = (zoo.normal(5, 7, seed=seed).double() for seed in (1, 2))
    sign = 1 if descending else -1
    for k in range(7):
        above = torch.zeros(5, 7, dtype=torch.float64)
        above[:, k] = 1
        (found,) = in_order(1, descending)(lambda u: u.sort(dim=1, descending=descending).values, [x], [b], above)
        expected = [slow_k_th((sign * p).tolist(), (sign * q).tolist(), k) for p, q in zip(x, b, strict=True)]
        assert_close(found, torch.tensor(expected, dtype=torch.float64), 1e-12)
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1 + 1e-12


def test_the_first_in_order_is_the_maximum_and_the_last_the_minimum() -> None:
    x, b, above = (zoo.normal(5, 7, seed=seed).double() for seed in (1, 2, 3))
    for descending, average, extreme in ((True, maxima, torch.amax), (False, minima, torch.amin)):
        (sort,) = in_order(1, descending)(lambda u: u, [x], [b], above[:, :1])
        (expected,) = average(lambda u, extreme=extreme: extreme(u, 1, keepdim=True), [x], [b], above[:, :1])
        assert_close(sort, expected, 1e-12)


def test_where_nothing_changes_the_slope_of_a_sort_is_its_derivative() -> None:
    x, above = zoo.normal(5, 7, seed=1).double(), zoo.normal(5, 3, seed=3).double()
    at = x.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(at.topk(3, 1).values, at, above)
    (found,) = in_order(1, True)(lambda u: u, [x], [x], above)
    assert_close(found, derivative, 1e-12)
