"""What the rules for integrated gradients reach with how many nodes: gaps and map errors on the photographs.

    python -m benchmarks.paths [photographs]

A map's error is its distance from the map of `FINE` nodes of a trapezoid, by the latter's length; *stated* is what the rule itself
estimated, as a multiple of it. Means over photographs, with 95 % bootstrap intervals; black baseline, each explained for the
network's own choice.
"""

import sys

import numpy as np
import torch
from torch import Tensor

from benchmarks.subjects import on_photographs
from heatproof.methods import Attribution, IntegratedGradients
from heatproof.numerics.quadrature import GaussLegendre, Midpoint, RightRiemann, Trapezoid
from heatproof.passes.memory import keep_freed_memory
from heatproof.stats import mean_interval

FINE = 513
ASKED = ((0.2, None), (0.1, None), (0.05, None), (0.01, None), (None, 0.2), (None, 0.1), (None, 0.03), (0.05, 0.1))
"""Gap and map error."""
RULES: dict[str, IntegratedGradients] = {
    **{
        f"{rule.name.replace('_', ' ')}, {rule.n_nodes}": IntegratedGradients(quadrature=rule)
        for steps in (16, 32, 64)
        for rule in (RightRiemann(steps=steps), Trapezoid(steps=steps), Midpoint(steps=steps), GaussLegendre(steps=steps))
    },
    **{
        f"tolerance {gap or '—'}, map tolerance {error or '—'}": IntegratedGradients(
            quadrature=GaussLegendre(steps=FINE), tolerance=gap, map_tolerance=error
        )
        for gap, error in (
            (0.2, None),
            (0.1, None),
            (0.05, None),
            (0.01, None),
            (None, 0.2),
            (None, 0.1),
            (None, 0.03),
            (0.05, 0.1),
        )
    },
}


def main(photographs: int = 40) -> None:
    """Print a table."""
    keep_freed_memory()
    print("| network | rule | nodes | at most | gap | map error | stated |\n| --- | --- | --- | --- | --- | --- | --- |")
    for network, model, images in on_photographs(photographs):
        fine = IntegratedGradients(quadrature=Trapezoid(steps=FINE)).attribute(model, images)
        for rule, method in RULES.items():
            found = method.attribute(model, images)
            away = distance(found, fine)
            cells = [mean(found.probes), str(int(found.probes.amax())), mean(found.gap), mean(away), mean(found.error / away)]
            print(f"| {network} | {rule} | {' | '.join(cells)} |", flush=True)


def distance(found: Attribution, other: Attribution) -> Tensor:
    """Of each map from the other, by the other's length."""
    maps, others = found.values.flatten(1), other.values.flatten(1)
    away: Tensor = torch.linalg.vector_norm(maps - others, dim=1) / torch.linalg.vector_norm(others, dim=1)
    return away


def mean(values: Tensor) -> str:
    """With its interval; a dash where there is nothing."""
    found = mean_interval(values.double().numpy())
    middle, low, high = (float(np.asarray(end)) for end in (found.mean, found.low, found.high))
    if np.isnan(middle):
        return "—"
    if high > low:
        return f"{middle:.3g} [{low:.3g}, {high:.3g}]"
    return f"{middle:.3g}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
