"""What windows of occlusion affect: in one batch, in batches of similar regions, and each alone.

    python -m benchmarks.window_batches [NETWORK …]

Per network and stride of windows of 15 × 15 pixels: how many full forward passes as many floating-point operations are.
"""

import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.subjects import subject
from heatproof.partial.batches import similar_batches
from heatproof.partial.plan import ReplayPlan
from heatproof.passes.incremental import SHAPE_FLOPS, incremental
from heatproof.passes.memory import ENOUGH_ROWS
from heatproof.perturb.masks.windows import Windows

NETWORKS, STRIDES, SIDE = ("squeezenet1_1", "efficientnet_lite0", "resnet50", "vgg16"), (8, 15), 15


def main(networks: Sequence[str]) -> None:
    """Print a table."""
    sys.stdout.write(
        "| network | windows | the largest for all | batches | in batches | each alone |\n| --- |" + " --- |" * 5 + "\n"
    )
    for network in networks or NETWORKS:
        at = subject(network)
        plan = incremental(at.model, at.images[:1], (SIDE, SIDE)).replay
        if plan is None:
            continue
        for stride in STRIDES:
            windows = Windows.over((at.side, at.side), SIDE, stride)
            corners = windows.boxes[:, 0].clamp(max=at.side - SIDE).tolist()
            bookkeeping = SHAPE_FLOPS * len(plan.steps)
            batches = similar_batches(plan, corners, smallest=ENOUGH_ROWS, bookkeeping=bookkeeping)
            each = [[k] for k in range(len(corners))]
            found = [f"{sum(passes(plan, [corners[k] for k in batch]) for batch in some):.0f}" for some in (batches, each)]
            sys.stdout.write(
                f"| {network} | {len(corners)} | {plan.share * len(corners):.0f} | {len(batches)} | {' | '.join(found)} |\n"
            )
            sys.stdout.flush()


def passes(plan: ReplayPlan, corners: Sequence[Sequence[int]]) -> float:
    """The work of one batch of rectangles in full forward passes."""
    shares: list[float | None] = []
    for step in plan.steps:
        if step.region is None:
            shares.append(None)
            continue
        y, x = (cells.share_of_place[[corner[axis] for corner in corners]] for axis, cells in enumerate(step.region))
        shares.append(float(np.max(y) * np.max(x)))
    return len(corners) * plan.share_of_flops(shares)


if __name__ == "__main__":
    main(sys.argv[1:])
