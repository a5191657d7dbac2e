"""What a run costs beyond its passes: seconds and memory per unit, for units that compute nothing and store one record.

    python -m benchmarks.units run EXECUTOR UNITS     one run in this process, as a line of JSON
    python -m benchmarks.units scores FOLDER ROWS     a run of so many made-up records
    python -m benchmarks.units report FOLDER          its listing and report, as a line of JSON

`groups/units.py` runs these, each in a process of its own. A null unit does all that a unit does but explain and score: it is
planned, handed to a process, stored, and counted. `REPORT_METHODS` methods, `REPORT_METRICS` metrics and one network make a report.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.harness import peak_memory
from heatproof.core.records import Record
from heatproof.core.settings import canonical_json
from heatproof.evaluation.executors import Executor, LocalExecutor, RayExecutor, SerialExecutor, SharedExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Unit
from heatproof.evaluation.run import Progress, run_experiment
from heatproof.store import Run
from heatproof.store.status import status

METHODS = 10
"""The methods of a run of null units, of which each image has one unit."""
REPORT_METHODS, REPORT_METRICS, REPORT_BATCH = 20, 10, 50
"""A report of a million records is one of 20 methods, 10 metrics and 5,000 images, in 2,000 units."""
WORKERS = 2
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "serial": SerialExecutor,
    "local": partial(LocalExecutor, WORKERS),
    "shared": SharedExecutor,
    "ray": partial(RayExecutor, WORKERS),
}


def null_unit(run: Path, unit: Unit) -> None:
    """A unit that computes nothing."""
    Run.create(run).write_part(unit.key, [record(unit, unit.items[0].digest, unit.items[0].name, unit.metrics[0], 0.0)])


def record(unit: Unit, digest: str, name: str, metric: dict[str, Any], value: float) -> Record:
    """The record of a unit's score of an image."""
    return Record(
        unit=unit.key,
        model=unit.model_name,
        method=unit.method_digest,
        method_label=unit.label,
        method_settings=canonical_json(unit.method),
        metric=str(metric["name"]),
        metric_settings=canonical_json(metric),
        component="",
        direction="higher",
        image=digest,
        image_name=name,
        label=0,
        target=0,
        clean_score=1.0,
        clean_probability=0.5,
        seed=unit.seed,
        value=value,
        error=float("nan"),
        curve=[],
        forward_rows=0,
        backward_rows=0,
        seconds=0.0,
        map_error=0.0,
        map_gap=0.0,
        probes=0,
        plan="plain",
        details="",
        metric_forward_rows=0,
        metric_backward_rows=0,
        metric_equivalent_rows=0.0,
        metric_seconds=0.0,
        metric_details="",
        notes="",
    )


def experiment(folder: Path, images: int, methods: int, metrics: int, batch: int) -> Experiment:
    """An experiment with so many images of 8 × 8 pixels, none equal to another."""
    file = folder / f"images-{images}.npz"
    numbers = np.arange(images, dtype=np.int64)[:, None] >> np.arange(64) & 1
    np.savez(file, images=numbers.astype(np.uint8).reshape(images, 8, 8), labels=np.zeros(images, np.int64))
    return Experiment.parse(
        {
            "name": f"null-{images}",
            "batch": batch,
            "kept_maps": 0,
            "precision": "plain",
            "dataset": {"name": "arrays", "path": str(file), "images": "images", "labels": "labels", "classes": ""},
            "models": [{"name": "toy", "architecture": "mlp", "side": 8, "width": 0.02}],
            "methods": [{"name": "smooth_grad", "samples": n + 1, "label": f"method {n}"} for n in range(methods)],
            "metrics": [{"name": "sparseness"}]
            if metrics == 1
            else [{"name": "random_logit", "draws": n + 1} for n in range(metrics)],
        }
    )


def run(executor: str, units: int) -> dict[str, Any]:
    """A run of null units: seconds until the first one, seconds per unit from there on, and the peak memory of this process."""
    with tempfile.TemporaryDirectory() as folder, patch("heatproof.evaluation.run.compute_unit", null_unit):
        made = experiment(Path(folder), units // METHODS, METHODS, 1, 1)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
        before = peak_memory()
        started, cpu, times = time.perf_counter(), time.process_time(), list[float]()

        def note(progress: Progress) -> None:
            if progress.done in (0, WORKERS, progress.total) or progress.done % 1000 == 0:
                times.append(time.perf_counter())

        summary = run_experiment(made, Path(folder) / "run", EXECUTORS[executor](), note)
        ended, cpu = time.perf_counter(), time.process_time() - cpu
        peak = peak_memory()  # before the folder is deleted, which lists all its files
        if summary.failures:
            raise RuntimeError(summary.failures[0].traceback)
    return {
        "executor": executor,
        "units": units,
        "planned": times[0] - started,
        "per_unit": (times[-1] - times[1]) / (units - WORKERS),
        "ended": ended - times[-1],
        "driver_cpu": cpu / units,
        "before": before,
        "peak": peak,
    }


def scored_unit(run: Path, unit: Unit) -> None:
    """A unit of made-up scores: of each image by each metric, better for later methods."""
    draws = np.random.default_rng(int(unit.key[:8], 16))
    better = int(unit.label.split()[-1]) / REPORT_METHODS
    values = draws.normal(better, 1.0, (len(unit.metrics), len(unit.items)))
    records = [
        record(unit, item.digest, item.name, metric, float(values[m, i]))
        for m, metric in enumerate(unit.metrics)
        for i, item in enumerate(unit.items)
    ]
    Run.create(run).write_part(unit.key, records)


def write_scores(folder: Path, rows: int) -> None:
    """A run with so many records."""
    images = rows // REPORT_METHODS // REPORT_METRICS
    with patch("heatproof.evaluation.run.compute_unit", scored_unit):
        made = experiment(folder, images, REPORT_METHODS, REPORT_METRICS, REPORT_BATCH)
        run_experiment(made, folder / "run", SerialExecutor())


def report(folder: Path) -> dict[str, Any]:
    """Seconds to list the units of a run, to ask for its state and to write its report, and the peak of `heatproof report`."""
    store = Run(folder / "run")
    steps: dict[str, Callable[[], object]] = {
        "listed": store.done,
        "state": lambda: status(store),
        "verified": store.faults,
    }
    started = time.perf_counter()  # first, since a process's peak begins with the memory of the one that started it
    subprocess.run([sys.executable, "-m", "heatproof", "report", str(store.path)], check=True, stdout=subprocess.DEVNULL)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = {"report": time.perf_counter() - started, "report_cpu": spent.ru_utime + spent.ru_stime}
    for name, step in steps.items():
        started, cpu = time.perf_counter(), time.process_time()
        step()
        seconds |= {name: time.perf_counter() - started, f"{name}_cpu": time.process_time() - cpu}
    rows = store.query("SELECT count(*) AS n FROM records")["n"][0].as_py()
    return {"rows": rows, "parts": len(store.parts()), **seconds, "peak": spent.ru_maxrss / 1024}


if __name__ == "__main__":
    from benchmarks import units  # so that null units are those of a module, which other processes can import

    what, *arguments = sys.argv[1:]
    if what == "scores":
        units.write_scores(Path(arguments[0]), int(arguments[1]))
    else:
        found = units.run(arguments[0], int(arguments[1])) if what == "run" else units.report(Path(arguments[0]))
        sys.stdout.write(json.dumps(found) + "\n")
