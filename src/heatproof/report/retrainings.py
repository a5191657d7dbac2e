"""The networks that a metric trained again: their accuracy at each share, and how far each method is from chance.

A score per image says how the images differ; here the networks are the sample, which differ in their first weights and in the order
of their examples. Networks of the same number are paired over methods.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.formatting import count, number, p_value
from heatproof.core.formatting import interval as spread_of
from heatproof.report.names import told_apart
from heatproof.report.score_matrix import Floats
from heatproof.report.table_cells import TableCell
from heatproof.stats import holm, student
from heatproof.store import Run
from heatproof.store.manifest import Manifest, MetricEntry, ModelEntry

_DETAILS = """
SELECT model, method, metric, metric_settings, unit, count(*) AS n, any_value(metric_details) AS details FROM records
WHERE metric_details LIKE '%"accuracies"%' AND component = '' GROUP BY ALL ORDER BY unit
"""
UNCHANGED = "unchanged"

Table = tuple[list[str], list[tuple[str, list[TableCell]]]]


@dataclass(frozen=True)
class Retrainings:
    """The networks that one metric trained again for one model.

    Attributes:
        metric: the metric.
        shares: the shares of the pixels, as text.
        unchanged: the accuracy of each network that was trained on unchanged images, [networks].
        accuracies: for each method, the accuracy of each network at each share, [shares, networks].
        chance: the label of the control that stands for chance; None if it was not run.
    """

    metric: MetricEntry
    shares: tuple[str, ...]
    unchanged: Floats
    accuracies: Mapping[str, Floats]
    chance: str | None

    @property
    def title(self) -> str:
        """The metric and the number of networks."""
        return f"{self.metric.label}: accuracy of {count(len(self.unchanged), 'network')} for each share"


def read_retrainings(run: Run, manifest: Manifest, model: ModelEntry) -> list[Retrainings]:
    """What the metrics that train networks told of them, in the order of the manifest."""
    rows = [row for row in run.query(_DETAILS, units=manifest.units_of(model)).to_pylist() if row["model"] in model.keys]
    found = []
    for metric in told_apart(manifest.metrics):
        own = [row for row in rows if (row["metric"], row["metric_settings"]) == (metric.name, metric.settings_key)]
        by_method = {
            method.label: _mean([row for row in own if row["method"] == method.key])
            for method in manifest.methods
            if any(row["method"] == method.key for row in own)
        }
        if by_method:
            first = next(iter(by_method.values()))
            shares = tuple(name for name in first if name != UNCHANGED)
            chance = next((method.label for method in manifest.methods if method.chance and method.label in by_method), None)
            accuracies = {label: np.stack([each[share] for share in shares]) for label, each in by_method.items()}
            found.append(Retrainings(metric, shares, first[UNCHANGED], accuracies, chance))
    return found


def _mean(rows: list[dict[str, Any]]) -> dict[str, Floats]:
    """The accuracies over all units of a method, in which an image counts once."""
    total = sum(row["n"] for row in rows)
    details = [(row["n"], json.loads(row["details"])["accuracies"]) for row in rows]
    return {name: np.sum([n * np.array(each[name]) for n, each in details], axis=0) / total for name in _in_order(details[0][1])}


def _in_order(names: Mapping[str, Any]) -> list[str]:
    return sorted(names, key=lambda name: -1.0 if name == UNCHANGED else float(name))


def retraining_tables(found: Retrainings) -> Iterator[tuple[str, Table]]:
    """The titles and the tables: accuracies with intervals over networks, and differences from chance with paired tests."""
    heads = [*found.shares, "mean"]
    lines = [(f"{UNCHANGED} images", [_accuracy(found.unchanged)] * len(heads))]
    lines += [(label, [_accuracy(row) for row in (*each, each.mean(0))]) for label, each in found.accuracies.items()]
    yield found.title, (heads, lines)
    if found.chance is None or len(found.unchanged) < 2 or len(found.accuracies) < 2:
        return
    chance = found.accuracies[found.chance]
    gaps = {label: each - chance for label, each in found.accuracies.items() if label != found.chance}
    tests = {label: [student(row, bounds=(-1, 1)) for row in (*each, each.mean(0))] for label, each in gaps.items()}
    corrected = iter(holm(np.array([test.p for line in tests.values() for test in line])))
    lines = []
    for label, line in tests.items():
        cells = []
        for test in line:
            p, text = float(next(corrected)), number(test.mean, 3)
            says = f"The difference from {found.chance}, paired over {count(test.n, 'network')}; p after Holm's correction."
            cells.append(TableCell(text, f"{spread_of(test.low, test.high, 3)}, p {p_value(p)}", f"{test.mean}", title=says))
        lines.append((label, cells))
    yield f"{found.metric.label}: difference from {found.chance}, paired over networks", (heads, lines)


def _accuracy(values: Floats) -> TableCell:
    found = student(values, bounds=(0, 1))
    says = f"The mean accuracy of {count(found.n, 'network')}, with a 95 % interval over networks."
    sub = spread_of(found.low, found.high, 3) if found.n > 1 else ""
    return TableCell(number(found.mean, 3), sub, f"{found.mean}", title=says)
