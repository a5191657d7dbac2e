"""Integrated gradients as accurate as asked, against a fixed Gauss–Legendre rule that serves all photographs.

Asked is a completeness gap of 5 %, or a map within 10 % of one of many nodes. Who fixes the steps does so for the worst image to
come. The rule is offered a ladder of steps: an image's need is `settled` at the fewest from which on every number of steps serves
it, which is what one can rely on, and `first` at the fewest that happen to, as a gap changes its sign now and then on its way to
zero. The largest need of any photograph is compared with the most rows that a tolerance took for any, each explained for the
network's own choice. Rows are counted, end points and those computed twice among them; nothing is timed.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.harness import Row, Size, Spread
from benchmarks.paths import distance
from benchmarks.subjects import subject
from heatproof.methods import Attribution, IntegratedGradients
from heatproof.models.model import Model
from heatproof.numerics.quadrature import GaussLegendre, Trapezoid
from heatproof.passes.path_gradients import CACHED_GRADIENTS

NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
GAP = 0.05
MAP = 0.1
LADDER = tuple(round(2 ** (power / 2)) for power in range(6, 18))
"""8 to 362, by √2."""
FINE = 513
"""Nodes of the map that maps are compared with."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """Two readings of what the rule needs for the gap, and one for the map."""
    at = subject(network)
    model = at.plans["exact"][0]
    fixed = [_explain(model, at.images, quadrature=GaussLegendre(steps=steps)) for steps in LADDER]
    fine = _explain(model, at.images, quadrature=Trapezoid(steps=FINE))

    def row(case: str, asked: str, ours: Attribution, served: Tensor, note: str) -> Row:
        taken = int((ours.probes + (ours.probes - CACHED_GRADIENTS).clamp(min=0)).amax())
        need = int(((served.flip(0).cumprod(0) == 0) if case != "first" else (served.cumsum(0) == 0)).sum(0).amax())
        theirs = LADDER[min(need, len(LADDER) - 1)] + 2
        return Row.of(
            "tolerance",
            case,
            network,
            work=f"integrated gradients to {asked}, {len(at.images)} photographs, the most passes",
            peer="Gauss–Legendre, fewest steps",
            spread=Spread(*[taken / theirs] * 3),
            note=f"{taken} against {'' if need < len(LADDER) else 'more than '}{theirs} passes; {note}",
        )

    to_gap = _explain(model, at.images, tolerance=GAP)
    gaps = torch.stack([found.gap <= GAP for found in fixed])
    for case in ("settled", "first"):
        yield row(case, f"a gap of {GAP:.0%}", to_gap, gaps, f"the worst gap is {float(to_gap.gap.amax()):.3f}")
    to_map = _explain(model, at.images, map_tolerance=MAP)
    maps = torch.stack([distance(found, fine) <= MAP for found in fixed])
    away, stated = distance(to_map, fine), to_map.error
    note = f"the worst map is {float(away.amax()):.3f} away, {float(stated[away.argmax()]):.3f} by its own estimate"
    yield row("map", f"a map error of {MAP:.0%}", to_map, maps, note)


def _explain(model: Model, images: Tensor, **settings: object) -> Attribution:
    """Integrated gradients, with as many steps as a tolerance may want."""
    return IntegratedGradients.model_validate({"quadrature": GaussLegendre(steps=LADDER[-1]), **settings}).attribute(model, images)
