"""The tables of the page about removing and retraining, from the accuracies that its run left.

    python -m benchmarks.retraining runs/roar-short

writes the accuracy of every network that the run trained to `benchmarks/retraining.json`, from which `python docs/generate.py`
makes the tables: means over networks with their intervals, and differences from the random map with paired tests.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.records import Direction
from heatproof.report.retrainings import Retrainings, read_retrainings, retraining_tables
from heatproof.store import Run
from heatproof.store.manifest import MetricEntry

RESULTS = Path(__file__).parent / "retraining.json"


def collect(folder: Path, results: Path = RESULTS) -> None:
    """Write the accuracies of a finished run, to six digits."""
    store = Run(folder)
    manifest = store.manifest()
    metrics = [
        {
            "metric": found.metric.label,
            "shares": found.shares,
            "chance": found.chance,
            "unchanged": _rounded(found.unchanged),
            "methods": {label: [_rounded(row) for row in values] for label, values in found.accuracies.items()},
        }
        for found in read_retrainings(store, manifest, manifest.models[0])
    ]
    content = {"controls": [method.label for method in manifest.methods if method.control], "metrics": metrics}
    results.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def tables(results: Path = RESULTS) -> dict[str, tuple[list[str], list[list[str]]]]:
    """The accuracies by every metric, and the differences from chance by the first one."""
    found = json.loads(results.read_text("utf-8"))
    made = [[*retraining_tables(_retrainings(each))] for each in found["metrics"]]
    heads, lines = ["map"], dict[str, list[str]]()
    for given, ((_, (_, rows)), *_) in zip(found["metrics"], made, strict=True):
        n = len(given["shares"])
        heads += [f"{given['metric']} {100 * float(share):.0f} %" for share in given["shares"]]
        for label, cells in rows:
            lines.setdefault(label, []).extend(f"{cell.text} {cell.sub}".strip() for cell in cells[:n])
    _, (_, (shares, gaps)) = made[0]
    chance = found["metrics"][0]["chance"]
    return {
        "accuracies": (heads, [[_name(label, found["controls"]), *cells] for label, cells in lines.items()]),
        "gaps": (
            [f"minus {chance[0].lower()}{chance[1:]}", *(f"{100 * float(share):.0f} %" for share in shares[:-1]), "mean"],
            [[_name(label, found["controls"]), *(f"{cell.text} {cell.sub}" for cell in cells)] for label, cells in gaps],
        ),
    }


def _retrainings(given: dict[str, Any]) -> Retrainings:
    metric = MetricEntry(name="roar", label=given["metric"], title=given["metric"], direction=Direction.LOWER)
    accuracies = {label: np.array(rows) for label, rows in given["methods"].items()}
    return Retrainings(metric, tuple(given["shares"]), np.array(given["unchanged"]), accuracies, given["chance"])


def _name(label: str, controls: Sequence[str]) -> str:
    return f"*{label}*" if label in controls else label


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("expected the folder of a finished run")
    collect(Path(sys.argv[1]))
