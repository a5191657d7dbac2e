"""Integrated gradients to a completeness gap of 5 %, against a fixed Gauss–Legendre rule that serves all photographs.

Who fixes the steps does so for the worst image to come. The rule is offered a ladder of steps: an image's need is `settled` at the
fewest from which on every number of steps keeps the gap, which is what one can rely on, and `first` at the fewest that happen to,
as the gap changes its sign now and then on its way to zero. The largest need of any photograph is compared with the most rows that
the tolerance took for any, each explained for the network's own choice. Rows are counted, end points and scouts among them;
nothing is timed.
"""

from collections.abc import Iterator

import torch

from benchmarks.harness import Row, Size, Spread
from benchmarks.subjects import subject
from heatproof.methods import IntegratedGradients
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.path import SCOUTS

NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
GAP = 0.05
LADDER = tuple(round(2 ** (power / 2)) for power in range(6, 18))
"""8 to 362, by √2."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each reading of what the rule needs."""
    at = subject(network)
    model = at.plans["exact"][0]
    found = IntegratedGradients(quadrature=GaussLegendre(steps=LADDER[-1]), tolerance=GAP).attribute(model, at.images)
    rules = [IntegratedGradients(quadrature=GaussLegendre(steps=steps)) for steps in LADDER]
    kept = torch.stack([rule.attribute(model, at.images).error <= GAP for rule in rules])
    readings = {"settled": (kept.flip(0).cumprod(0) == 0).sum(0).amax(), "first": (kept.cumsum(0) == 0).sum(0).amax()}
    ours = int(found.probes.amax()) + SCOUTS + 1
    for case, rung in readings.items():
        enough = int(rung) < len(LADDER)
        theirs = LADDER[min(int(rung), len(LADDER) - 1)] + 2
        yield Row.of(
            "tolerance",
            case,
            network,
            work=f"integrated gradients to a gap of {GAP:.0%}, {len(at.images)} photographs, the most rows",
            peer="Gauss–Legendre, fewest steps",
            spread=Spread(*[ours / theirs] * 3),
            note=f"{ours} against {'' if enough else 'more than '}{theirs} rows; the worst gap is {float(found.error.amax()):.3f}",
        )
