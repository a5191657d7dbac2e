"""Integrated gradients to a completeness gap of 5 %: rows of the photograph that takes most, against a fixed Gauss–Legendre rule.

The rule is offered a ladder of steps, and takes the first whose gap on that photograph is as small: the best it could do if it knew
the answer. Rows are counted forward, end points and scouts among them; nothing is timed.
"""

from collections.abc import Iterator

from benchmarks.harness import Row, Size, Spread
from benchmarks.subjects import subject
from heatproof.methods import IntegratedGradients
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.path import SCOUTS

NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
GAP = 0.05
MOST = 1024
LADDER = tuple(round(2 ** (power / 2)) for power in range(4, 21))
"""4 to 1024, by √2."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """One row."""
    at = subject(network)
    found = IntegratedGradients(quadrature=GaussLegendre(steps=MOST), tolerance=GAP).attribute(at.model, at.images, at.target)
    worst = int(found.probes.argmax())
    image, target = at.images[worst : worst + 1], at.target[worst : worst + 1]

    def gap(steps: int) -> float:
        return float(IntegratedGradients(quadrature=GaussLegendre(steps=steps)).attribute(at.model, image, target).error)

    steps = next((steps for steps in LADDER if gap(steps) <= GAP), None)
    ours, theirs = int(found.probes[worst]) + SCOUTS + 1, (steps or MOST) + 2
    reached = f"{theirs} fixed" if steps else f"more than {theirs} fixed"
    yield Row.of(
        "tolerance",
        "rows",
        network,
        work=f"integrated gradients to a gap of {GAP:.0%}, worst of {len(at.images)} photographs",
        peer="Gauss–Legendre, fewest steps that do",
        spread=Spread(*[ours / theirs] * 3),
        note=f"{ours} against {reached} rows; reached {float(found.error[worst]):.3f}; photograph {worst}",
    )
