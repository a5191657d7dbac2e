"""Searches that methods tell of: where they went, what they found, and what of it was luck.

A method that searches a setting image by image leaves in its details `trace_sigma` and `trace_objective` (null after the end),
`objective` at its optimum and `objective_fresh`, the same anew with other random numbers. The optimum of noisy values is too good
on average; the difference to the fresh value says by how much.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.report.analysis import SEED, level_of, sensible_draws
from heatproof.stats import Comparison, compare, resampling_weights
from heatproof.store import Run
from heatproof.store.manifest import Manifest, MethodEntry, ModelEntry

_DETAILS = """
SELECT model, method, image, min(image_name) AS name, min_by(details, seed) AS details FROM records
WHERE details LIKE '%"trace_sigma"%' GROUP BY ALL ORDER BY method, name
"""


@dataclass(frozen=True)
class SearchTrace:
    """The search of one image: σ and objective, in the order they were tried."""

    image: str
    sigmas: tuple[float, ...]
    values: tuple[float, ...]
    sigma: float
    objective: float
    fresh: float


@dataclass(frozen=True)
class Search:
    """All searches of one method. `luck` compares the objective at the optimum, first, with its fresh value, image by image."""

    method: MethodEntry
    objective: str
    traces: tuple[SearchTrace, ...]
    luck: Comparison


def read_searches(run: Run, manifest: Manifest, model: ModelEntry) -> list[Search]:
    """Searches on one model, by method, in the order of the methods; of the first seed."""
    rows = [row for row in run.query(_DETAILS).to_pylist() if row["model"] in model.keys]
    found = []
    for method in manifest.methods:
        own = (_trace(row["name"], json.loads(row["details"])) for row in rows if row["method"] == method.key)
        traces = tuple(trace for trace in own if trace is not None)
        if traces:
            found.append(Search(method, _objective(method.settings, manifest), traces, _luck(traces, level_of(manifest.looks))))
    return found


def _trace(image: str, details: Mapping[str, Any]) -> SearchTrace | None:
    """None where the search met no number, or its optimum anew is none."""
    tried = [pair for pair in zip(details["trace_sigma"], details["trace_objective"], strict=True) if None not in pair]
    if not tried or not {"sigma", "objective", "objective_fresh"} <= details.keys():
        return None
    sigmas, values = zip(*tried, strict=True)
    return SearchTrace(image, sigmas, values, details["sigma"], details["objective"], details["objective_fresh"])


def _objective(settings: Any, manifest: Manifest) -> str:
    name = settings["objective"]["name"] if isinstance(settings, Mapping) and "objective" in settings else "objective"
    return next((metric.label for metric in manifest.metrics if metric.name == name), name)


def _luck(traces: Sequence[SearchTrace], level: float) -> Comparison:
    at, anew = (np.array([getattr(trace, name) for trace in traces]) for name in ("objective", "fresh"))
    weights = resampling_weights(len(traces), sensible_draws(len(traces)), np.random.default_rng(SEED))
    return compare(at, anew, weights, np.random.default_rng(SEED), level=level)
