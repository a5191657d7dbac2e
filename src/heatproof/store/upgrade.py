"""Manifests that earlier versions of heatproof wrote, brought up to the present version.

Until version 4 the manifest was an untyped dictionary whose version stood under `schema`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from heatproof.store.manifest import MANIFEST_VERSION


def upgraded(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a run.json of any version that can be read, in the fields of the present one."""
    if "schema" not in content:
        return content
    kept = {key: content[key] for key in _UNCHANGED if content.get(key) is not None}
    budget = content.get("budget") or ""
    return {
        **kept,
        "version": MANIFEST_VERSION,
        "budget": "fewer samples or images than the method asks for" if budget is True else budget,
        "environment": {**(content.get("versions") or {}), **(content.get("machine") or {})},
        "models": [{key: value for key, value in model.items() if key != "label"} for model in content.get("models", ())],
        "methods": [_renamed(method, method="key", reference="chance") for method in content.get("methods", ())],
        "metrics": [_metric(metric) for metric in content.get("metrics", ())],
        "associations": content.get("relations") or [],
        "claims": [_claim(claim) for claim in content.get("claims") or ()],
    }


_UNCHANGED = (
    *("name", "title", "created", "smoke", "target", "seeds", "elapsed", "dataset", "images", "units"),
    *("class_names", "stop", "tables", "sweeps"),
)


def _renamed(entry: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def _metric(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A metric without curves had null in place of the axes."""
    return {key: value for key, value in _renamed(entry, metric="name").items() if not (key == "curve_axes" and value is None)}


def _claim(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A claim was written as its pairs; the lists of methods that give these pairs are found again."""
    pairs, within, least = entry["pairs"], entry.get("within"), entry.get("least")
    first, second = (list(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    fields = {name: entry.get(name) or "" for name in ("says", "metric", "component", "statistic")}
    fields["association"] = entry.get("relation") or ""
    if least is not None:
        return {**fields, "reach": second, "least": least}
    if within is not None:
        return {**fields, "alike": first, "to": second, "within": within}
    return {**fields, **_order(pairs, first, second)}


def _order(pairs: Sequence[Sequence[str]], first: list[str], second: list[str]) -> dict[str, list[str]]:
    if [list(pair) for pair in itertools.product(first, second)] == [list(pair) for pair in pairs]:
        return {"below": first, "above": second}
    return {"falls": [pairs[0][1], *(later for later, _ in pairs)]}
