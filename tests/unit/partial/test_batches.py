"""Batches of candidates that affect regions of similar size."""

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.models import Bounds, Model
from heatproof.partial.batches import similar_batches
from heatproof.partial.interval import AxisInterval, rectangle_interval
from heatproof.partial.plan import RegionLayout, ReplayPlan, ReplayStep
from heatproof.passes import cached_images
from heatproof.passes.incremental import incremental
from heatproof.passes.memory import ENOUGH_ROWS
from heatproof.passes.patched_images import PatchedImages
from heatproof.perturb.masks.windows import Windows
from tests.support import zoo

SIDE, SIZE = 12, 3
FLOPS = 10**6
CORNERS = [(i, j) for i in range(SIDE - SIZE + 1) for j in range(SIDE - SIZE + 1)]


def plan_of(*margins: int) -> ReplayPlan:
    """Steps of equal cost, each of which reads so many cells more on each side of the rectangle."""
    places = range(SIDE - SIZE + 1)
    steps = []
    for margin in margins:
        first, stop = tuple(max(i - margin, 0) for i in places), tuple(min(i + SIZE + margin, SIDE) for i in places)
        steps.append(ReplayStep(torch.relu, (0,), (AxisInterval(first, stop, SIDE), AxisInterval(first, stop, SIDE))))
    n = len(steps)
    return ReplayPlan(RegionLayout((SIZE, SIZE), (SIDE, SIDE), 0.9), steps, [], [FLOPS] * n, n * FLOPS)


def cost(plan: ReplayPlan, batch: list[int]) -> float:
    """The floating-point operations of a batch, from the definition."""
    total = 0.0
    for flops, step in zip(plan.step_flops, plan.steps, strict=True):
        assert step.region is not None
        y, x = step.region
        heights = max(y.stop[CORNERS[k][0]] - y.first[CORNERS[k][0]] for k in batch)
        widths = max(x.stop[CORNERS[k][1]] - x.first[CORNERS[k][1]] for k in batch)
        total += flops * heights * widths / SIDE**2 * len(batch)
    return total


def test_batches_hold_every_candidate_once_and_are_not_too_small() -> None:
    batches = similar_batches(plan_of(1, 3, 5), CORNERS, smallest=8, bookkeeping=1e5)
    assert sorted(k for batch in batches for k in batch) == [*range(len(CORNERS))]
    assert len(batches) > 2
    assert min(map(len, batches)) >= 8


@pytest.mark.parametrize("bookkeeping", [0, 1e6, 1e7])
def test_batches_cost_less_than_one_by_more_than_their_bookkeeping(bookkeeping: float) -> None:
    plan = plan_of(1, 3, 5)
    batches = similar_batches(plan, CORNERS, smallest=8, bookkeeping=bookkeeping)
    spared = cost(plan, [*range(len(CORNERS))]) - sum(cost(plan, batch) for batch in batches)
    assert spared > bookkeeping * (len(batches) - 1) or len(batches) == 1


def test_without_bookkeeping_batches_of_one_cost_what_each_affects() -> None:
    plan = plan_of(2, 4)
    batches = similar_batches(plan, CORNERS, smallest=1, bookkeeping=0)
    assert sum(cost(plan, batch) for batch in batches) == pytest.approx(sum(cost(plan, [k]) for k in range(len(CORNERS))))


def test_bookkeeping_that_costs_more_than_the_network_leaves_one_batch() -> None:
    assert similar_batches(plan_of(1, 3), CORNERS, smallest=1, bookkeeping=1e12) == [[*range(len(CORNERS))]]


def test_candidates_at_one_corner_or_steps_in_full_leave_one_batch() -> None:
    full = plan_of(1)
    full.steps[0] = full.steps[0]._replace(region=None)
    for plan, corners in ((plan_of(1), [(2, 3)] * 40), (full, CORNERS)):
        assert similar_batches(plan, corners, smallest=2, bookkeeping=0) == [[*range(len(corners))]]


def test_an_interval_knows_the_share_of_each_place() -> None:
    np.testing.assert_array_equal(AxisInterval((0, 2), (1, 6), 8).share_of_place, [1 / 8, 4 / 8])
    np.testing.assert_array_equal(rectangle_interval((0, 5), 3, 8).share_of_place, [3 / 8, 3 / 8])


def test_windows_in_batches_give_the_outputs_of_full_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches of one image, whose candidates are put back in order; then one of them becomes the image."""
    monkeypatch.setattr(cached_images, "SHAPE_FLOPS", 0)  # of such a network, one batch would cost less than several
    module = nn.Sequential(nn.Conv2d(2, 4, 5, padding=2), nn.Tanh(), nn.Conv2d(4, 3, 5, padding=2), nn.Tanh(), nn.Flatten())
    model = Model(zoo.filled(module, 3).double().eval(), Bounds.of(-1, 1, 2))
    images = zoo.normal(2, 2, 18, 18, seed=1, dtype=torch.float64)
    corners = Windows.over((18, 18), 3, 3).boxes[:, 0].expand(2, -1, 2)
    fills = zoo.normal(2, corners.shape[1], 2, 3, 3, seed=2, dtype=torch.float64)
    plan = incremental(model, images, (3, 3)).replay
    assert plan is not None
    assert len(similar_batches(plan, corners[0].tolist(), smallest=ENOUGH_ROWS, bookkeeping=0)) > 1
    partly, full = (PatchedImages(one, images, (3, 3), 10_000, 10_000) for one in (model, model.with_(incremental=False)))
    for _ in range(2):
        outputs, expected = partly.outputs(corners, fills), full.outputs(corners, fills)
        torch.testing.assert_close(outputs, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
        for each in (partly, full):
            each.keep(torch.tensor([9, 30]))
