"""Tables of the study of metrics against the truth, made from truths.json: heads and rows of text, with statistics over images.

Of ROAR, the networks that were trained again are the sample, and not images: they are resampled beside the images of the truth.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.records import Direction
from heatproof.stats import kendall_matrix, mean_interval, resampling_weights, student
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.ranged import ranged
from heatproof.verdict.truth import DRAWS, TruthAgreement, TruthScores

Table = tuple[list[str], list[list[str]]]

RESULTS = Path(__file__).parent / "truths.json"
TRUTH = "truth"
RETRAINED = "ROAR"
"""The metric whose sample are networks, and not images."""
ROOMS = {
    "bam": "digits before textures",
    "number": "printed number",
    "texture": "texture along the edge",
    "mosaics": "mosaics",
    "benzene": "molecules, benzene",
    "logic7": "molecules, logic7",
}
"""The rooms, in words."""
BY_CONSTRUCTION = {("mosaics", "energy in mask")}
"""What a metric scores where it is the truth itself, and says nothing of the metric: the share of the map in the mosaic's cell."""


def tables(results: Path = RESULTS) -> dict[str, Table]:
    """Every table by its name."""
    found = json.loads(results.read_text("utf-8"))
    rooms = {room: found[room] for room in ROOMS if room in found}
    agreements = {room: _agreements(found) for room, found in rooms.items()}
    for room, metric in BY_CONSTRUCTION:
        agreements.get(room, {}).pop(metric, None)
    metrics = list(dict.fromkeys(metric for found in agreements.values() for metric in found))
    metrics.sort(key=lambda metric: -_mean_tau(agreements, metric))
    return {
        "agreement": _agreement_table(agreements, metrics),
        "with-controls": _controls_table(agreements, metrics),
        "true-order": _order_table(rooms),
        "retrained": _retrained_table(rooms),
    }


def _agreements(found: Mapping[str, Any]) -> dict[str, TruthAgreement]:
    """The agreement of every metric of a room with its truth, over the methods first and the controls after them."""
    methods = [label for label in found["scores"][TRUTH] if label not in found["controls"]]
    labels = [*methods, *found["controls"]]
    truth = TruthScores(TRUTH, Direction(found["better"][TRUTH]), _values(found, TRUTH, labels))
    agreements = {
        metric: truth.agreement(_values(found, metric, labels), Direction(found["better"][metric]), len(methods))
        for metric in found["better"]
        if metric != TRUTH and metric in found["scores"]
    }
    if "accuracies" in found:
        means = np.array([np.mean(found["accuracies"]["methods"][label], axis=0) for label in labels])
        agreements[RETRAINED] = _agreement_of_networks(truth, means, len(methods))
    return agreements


def _agreement_of_networks(truth: TruthScores, means: Floats, methods: int) -> TruthAgreement:
    """The agreement of mean accuracies [maps, networks], of which lower is better; images and networks are resampled apart."""
    (maps, images), networks = truth.values.shape, means.shape[1]
    both = np.full((2, maps, images + networks), np.nan)
    both[0, :, :images], both[1, :, images:] = truth.values, means
    rng = np.random.default_rng(0)
    weights = np.concatenate([resampling_weights(n, DRAWS, rng) for n in (images, networks)], axis=1)
    matrices = [kendall_matrix(part, [truth.direction, Direction.LOWER], weights) for part in (both[:, :methods], both)]
    alone, every = ((float(each.tau[0, 1]), float(each.low[0, 1]), float(each.high[0, 1])) for each in matrices)
    return TruthAgreement(*alone, every, images)


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
    return ["metric", *(ROOMS[room] for room in agreements), "verdict"], rows


def _cell(found: TruthAgreement | None) -> str:
    return "—" if found is None else ranged(found.tau, found.low, found.high)


def verdict(found: Sequence[TruthAgreement]) -> str:
    """In how many rooms of a metric it agrees with the truth, and in how many it contradicts it; the others are undecided."""
    said = [each.verdict for each in found]
    contradicts = said.count("contradicts")
    return f"agrees in {said.count('agrees')} of {len(said)}" + (f", contradicts in {contradicts}" if contradicts else "")


def _controls_table(agreements: Mapping[str, Mapping[str, TruthAgreement]], metrics: Sequence[str]) -> Table:
    rows = [
        [metric, *("—" if metric not in each else ranged(*each[metric].all_maps) for each in agreements.values())]
        for metric in metrics
    ]
    return ["metric", *(ROOMS[room] for room in agreements)], rows


def _order_table(rooms: Mapping[str, Any]) -> Table:
    """The score of every map under the truth of each room, with its interval."""
    labels = list(dict.fromkeys(label for found in rooms.values() for label in found["scores"][TRUTH]))
    intervals = [mean_interval(_values(found, TRUTH, labels)) for found in rooms.values()]
    rows = [
        [label, *(ranged(float(each.mean[row]), float(each.low[row]), float(each.high[row])) for each in intervals)]
        for row, label in enumerate(labels)
    ]
    return ["map", *(f"{ROOMS[room]}, n = {found['images']}" for room, found in rooms.items())], rows


def _retrained_table(rooms: Mapping[str, Any]) -> Table:
    """The accuracy of networks that were trained without the first pixels of each map, in every room that has some."""
    found = {room: each["accuracies"] for room, each in rooms.items() if "accuracies" in each}
    heads, columns = ["map"], []
    for room, each in found.items():
        heads += [f"{ROOMS[room]}, {float(share):.0%}".replace("%", " %") for share in each["shares"]]
        columns += [(each, nth) for nth in range(len(each["shares"]))]
    rows = [["unchanged images", *(_of_networks(each["unchanged"]) for each, _ in columns)]]
    labels = dict.fromkeys(label for each in found.values() for label in each["methods"])
    rows += [[label, *(_of_networks(each["methods"][label][nth]) for each, nth in columns)] for label in labels]
    return heads, rows


def _of_networks(values: Sequence[float]) -> str:
    interval = student(np.array(values), bounds=(0, 1))
    return ranged(interval.mean, interval.low, interval.high)
