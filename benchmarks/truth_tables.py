"""Tables of the study of metrics against the truth, made from truths.json: heads and rows of text, with statistics over images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.records import Direction
from heatproof.stats import mean_interval
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.ranged import ranged
from heatproof.verdict.truth import TruthAgreement, TruthScores

Table = tuple[list[str], list[list[str]]]

RESULTS = Path(__file__).parent / "truths.json"
TRUTH = "truth"
ROOMS = {
    "bam": "digits before textures",
    "number": "printed number",
    "texture": "texture along the edge",
    "mosaics": "mosaics",
}
"""The rooms, in words."""
ELSEWHERE = ("ROAR",)
"""Metrics whose agreement is measured elsewhere."""


def tables(results: Path = RESULTS) -> dict[str, Table]:
    """Every table by its name."""
    rooms = json.loads(results.read_text("utf-8"))
    agreements = {room: _agreements(found) for room, found in rooms.items()}
    metrics = list(dict.fromkeys(metric for found in agreements.values() for metric in found))
    metrics.sort(key=lambda metric: -_mean_tau(agreements, metric))
    return {
        "agreement": _agreement_table(agreements, metrics),
        "with-controls": _controls_table(agreements, metrics),
        "true-order": _order_table(rooms),
    }


def _agreements(found: Mapping[str, Any]) -> dict[str, TruthAgreement]:
    """The agreement of every metric of a room with its truth, over the methods first and the controls after them."""
    methods = [label for label in found["scores"][TRUTH] if label not in found["controls"]]
    labels = [*methods, *found["controls"]]
    truth = TruthScores(TRUTH, Direction(found["better"][TRUTH]), _values(found, TRUTH, labels))
    return {
        metric: truth.agreement(_values(found, metric, labels), Direction(found["better"][metric]), len(methods))
        for metric in found["better"]
        if metric != TRUTH and metric in found["scores"]
    }


def _values(found: Mapping[str, Any], metric: str, labels: Sequence[str]) -> Floats:
    missing = [None] * found["images"]
    rows = [found["scores"][metric].get(label, missing) for label in labels]
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


def _mean_tau(agreements: Mapping[str, Mapping[str, TruthAgreement]], metric: str) -> float:
    taus = [found[metric].tau for found in agreements.values() if metric in found and np.isfinite(found[metric].tau)]
    return float(np.mean(taus)) if taus else -2.0


def _agreement_table(agreements: Mapping[str, Mapping[str, TruthAgreement]], metrics: Sequence[str]) -> Table:
    rows = []
    for metric in metrics:
        found = [each[metric] for each in agreements.values() if metric in each]
        rows.append([metric, *(_cell(each.get(metric)) for each in agreements.values()), verdict(found)])
    rows += [[metric, *("—" for _ in agreements), "not measured here"] for metric in ELSEWHERE if metric not in metrics]
    return ["metric", *(ROOMS[room] for room in agreements), "verdict"], rows


def _cell(found: TruthAgreement | None) -> str:
    return "—" if found is None else ranged(found.tau, found.low, found.high)


def verdict(found: Sequence[TruthAgreement]) -> str:
    """What the rooms say together: a metric agrees if it does in all of them, and contradicts if it does in one."""
    said = [each.verdict for each in found]
    if "contradicts" in said:
        return f"contradicts the truth in {said.count('contradicts')} of {len(said)} rooms"
    if said and all(each == "agrees" for each in said):
        return "agrees in every room"
    return f"agrees in {said.count('agrees')} of {len(said)} rooms, undecided in the others"


def _controls_table(agreements: Mapping[str, Mapping[str, TruthAgreement]], metrics: Sequence[str]) -> Table:
    rows = [
        [metric, *("—" if metric not in each else ranged(*each[metric].all_maps) for each in agreements.values())]
        for metric in metrics
    ]
    return ["metric", *(ROOMS[room] for room in agreements)], rows


def _order_table(rooms: Mapping[str, Any]) -> Table:
    """The score of every map under the truth of each room, with its interval."""
    labels = list(dict.fromkeys(label for found in rooms.values() for label in found["scores"][TRUTH]))
    rows = []
    for label in labels:
        cells = []
        for found in rooms.values():
            interval = mean_interval(_values(found, TRUTH, [label])[0])
            cells.append(ranged(float(interval.mean), float(interval.low), float(interval.high)))
        rows.append([label, *cells])
    return ["map", *(f"{ROOMS[room]}, n = {found['images']}" for room, found in rooms.items())], rows
