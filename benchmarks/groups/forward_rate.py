"""The perturbation curve of whole rows against the bare forward rate of the same plan: what is spent besides the network.

The ratio is seconds a row of full chunks that are given to the network and no more, over seconds a row of the metric.
"""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.harness import Row, Size, in_turn
from benchmarks.subjects import CHUNK, PLANS, subject
from heatproof.methods import EdgeMap
from heatproof.metrics import PerturbationCurve
from heatproof.models import Model

NETWORKS = ("resnet18", "resnet50")
REGIONS = 1
"""Enough: every region costs the same."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    maps = EdgeMap().attribute(at.model, at.images, at.target).values
    chunk = at.images[torch.arange(CHUNK) % len(at.images)]

    def metric_rows(size: Size) -> int:
        return size.images * (1 + REGIONS * size.candidates)

    def bare(size: Size, model: Model) -> None:
        with torch.no_grad(), model.running():
            for _ in range(_chunks(metric_rows(size))):
                model.outputs(chunk)

    def curve(size: Size, model: Model) -> None:
        n = size.images
        metric = PerturbationCurve(side=at.side // 14, regions=REGIONS, draws=size.candidates)
        metric.score(model.with_(incremental=False), at.images[:n], at.target[:n], maps[:n])

    named = {"bare": bare, "curve": curve}
    works = {f"{name}, {plan}": partial(work, model=at.plans[plan][0]) for plan in PLANS for name, work in named.items()}
    timed = in_turn(works, size, rounds)
    scale = metric_rows(size) / (_chunks(metric_rows(size)) * CHUNK)
    for plan in PLANS:
        yield Row.of(
            "forward_rate",
            plan,
            network,
            work=f"AUPC, {size.candidates} draws, {size.images} images",
            peer="bare forward passes, same plan",
            spread=timed.ratio(f"bare, {plan}", f"curve, {plan}", scale),
            note=f"{at.plans[plan][1].plan.label}; {metric_rows(size)} passes, {REGIONS} region",
        )


def _chunks(rows: int) -> int:
    return max(1, rows // CHUNK)
