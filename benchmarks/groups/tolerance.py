"""Integrated gradients to a completeness gap of 5 %: rows of the photograph that takes most, against a fixed Gauss–Legendre rule.

The rule is offered a ladder of steps. `settled` are the fewest from which on every number of steps keeps the gap on that image,
which is what one can rely on; `first` are the fewest that happen to, as the gap changes its sign now and then on its way to zero.
Rows are counted forward, end points and scouts among them; nothing is timed.
"""

from collections.abc import Iterator
from functools import cache
from itertools import takewhile

from benchmarks.harness import Row, Size, Spread
from benchmarks.subjects import subject
from heatproof.methods import IntegratedGradients
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.path import SCOUTS

NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
GAP = 0.05
LADDER = tuple(round(2 ** (power / 2)) for power in range(4, 19))
"""4 to 512, by √2."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each reading of what the rule needs."""
    at = subject(network)
    method = IntegratedGradients(quadrature=GaussLegendre(steps=LADDER[-1]), tolerance=GAP)
    found = method.attribute(at.model, at.images, at.target)
    worst = int(found.probes.argmax())
    image, target = at.images[worst : worst + 1], at.target[worst : worst + 1]

    @cache
    def close(steps: int) -> bool:
        rule = GaussLegendre(steps=steps)
        return float(IntegratedGradients(quadrature=rule).attribute(at.model, image, target).error) <= GAP

    needed = {
        "settled": min(takewhile(close, reversed(LADDER)), default=None),
        "first": next(filter(close, LADDER), None),
    }
    ours = int(found.probes[worst]) + SCOUTS + 1
    for case, steps in needed.items():
        theirs = (steps or LADDER[-1]) + 2
        yield Row.of(
            "tolerance",
            case,
            network,
            work=f"integrated gradients to a gap of {GAP:.0%}, worst of {len(at.images)} photographs",
            peer="Gauss–Legendre, fewest steps",
            spread=Spread(*[ours / theirs] * 3),
            note=f"{ours} against {'' if steps else 'more than '}{theirs} rows; reached {float(found.error[worst]):.3f}",
        )
