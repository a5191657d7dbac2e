"""Searches for the σ of SmoothTaylor, side by side: what they find, for how much, and what of it is luck.

    python -m benchmarks.noise_search [photographs] [roots] [network …]

Each photograph is explained for its network's own choice. *Values* are evaluations of the objective, each a map of so many roots,
the fresh one not counted. *As searched* is the objective at the optimum, *anew* the same with fresh random numbers, *luck* their
paired difference. *Against published*: paired difference of the fresh objective from the published search's. Means with 95 %
bootstrap intervals.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchmarks.paths import mean
from benchmarks.subjects import PACKAGED, on_photographs
from heatproof.methods import AdaptiveNoise, SmoothTaylor
from heatproof.metrics import PerturbationCurve, TotalVariationCurve
from heatproof.passes.memory import keep_freed_memory

SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "published": {"search": "published"},
    "published, slides' rule": {"search": "published", "failures": 4},
    "published, common numbers": {"search": "published", "common": True},
    "sweep": {"search": "sweep"},
}


def main(photographs: int = 12, roots: int = 25, networks: Sequence[str] = PACKAGED) -> None:
    """Print a table."""
    keep_freed_memory()
    heads = ("network", "objective", "search", "values", "σ", "as searched", "anew", "luck", "against published")
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for network, model, images in on_photographs(photographs, networks):
        for objective in (TotalVariationCurve(), PerturbationCurve(corners="published", draws=3)):
            first: torch.Tensor | None = None
            for label, settings in SEARCHES.items():
                chosen = {"method": SmoothTaylor(samples=roots).to_dict(), "objective": objective.to_dict()}
                method = AdaptiveNoise.from_dict({"name": "adaptive_noise", **chosen, **settings})
                told = method.attribute(model, images).details
                fresh = told["objective_fresh"]
                first = fresh if first is None else first
                numbers = (told["evaluations"], told["sigma"], told["objective"], fresh, told["objective"] - fresh, fresh - first)
                cells = [network, objective.label, label, *map(mean, numbers)]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 12, int(given[1]) if given[1:] else 25, given[2:] or PACKAGED)
