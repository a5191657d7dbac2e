"""The searches for a noise level σ that methods ran for each image, and how much of their result is selection bias.

A method that searches for σ records these details for each image: `trace_sigma` and `trace_objective`, the values that it tried
and the objective at each (null after the end of the search); `sigma` and `objective`, the optimum; and `objective_fresh`, the
objective at the optimum evaluated again with new random numbers. The best of several noisy values is too good on average. The
difference between `objective` and `objective_fresh` estimates this selection bias.
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
    """The search for one image.

    Attributes:
        image: the name of the image.
        sigmas: the values of σ, in the order in which they were tried.
        values: the objective at each of them.
        sigma: the value of σ that was selected.
        objective: the objective at the selected σ, as the search evaluated it.
        fresh: the objective at the selected σ, evaluated again with new random numbers.
    """

    image: str
    sigmas: tuple[float, ...]
    values: tuple[float, ...]
    sigma: float
    objective: float
    fresh: float


@dataclass(frozen=True)
class Search:
    """All searches of one method.

    Attributes:
        method: the method.
        objective: the label of the metric that was optimised.
        traces: the search for each image.
        selection_bias: the paired comparison of the objective at the optimum with its fresh value.
    """

    method: MethodEntry
    objective: str
    traces: tuple[SearchTrace, ...]
    selection_bias: Comparison


def read_searches(run: Run, manifest: Manifest, model: ModelEntry) -> list[Search]:
    """The searches of the first seed on one model, for each method in the order of the manifest."""
    rows = [row for row in run.query(_DETAILS, units=manifest.units_of(model)).to_pylist() if row["model"] in model.keys]
    searches = []
    for method in manifest.methods:
        own = (_trace(row["name"], json.loads(row["details"])) for row in rows if row["method"] == method.key)
        traces = tuple(trace for trace in own if trace is not None)
        if traces:
            searches.append(
                Search(method, _objective(method.settings, manifest), traces, _selection_bias(traces, level_of(manifest.looks)))
            )
    return searches


def _trace(image: str, details: Mapping[str, Any]) -> SearchTrace | None:
    """The search for one image; None if no value of its objective is a number, or if its details are incomplete."""
    tried = [pair for pair in zip(details["trace_sigma"], details["trace_objective"], strict=True) if None not in pair]
    if not tried or not {"sigma", "objective", "objective_fresh"} <= details.keys():
        return None
    sigmas, values = zip(*tried, strict=True)
    return SearchTrace(image, sigmas, values, details["sigma"], details["objective"], details["objective_fresh"])


def _objective(settings: Any, manifest: Manifest) -> str:
    name = settings["objective"]["name"] if isinstance(settings, Mapping) and "objective" in settings else "objective"
    return next((metric.label for metric in manifest.metrics if metric.name == name), name)


def _selection_bias(traces: Sequence[SearchTrace], level: float) -> Comparison:
    searched, fresh = (np.array([getattr(trace, name) for trace in traces]) for name in ("objective", "fresh"))
    weights = resampling_weights(len(traces), sensible_draws(len(traces)), np.random.default_rng(SEED))
    return compare(searched, fresh, weights, np.random.default_rng(SEED), level=level)
