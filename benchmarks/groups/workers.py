"""How much faster two processes of one thread each compute the demo's methods and metrics than one such process does.

python -m benchmarks workers                                 one after the other, four minutes on a quiet machine
python -m benchmarks.groups.workers PROCESSES PHOTOGRAPHS    one run, as a line of JSON

Seconds count from when the first unit is handed out, so the start of the processes is in them, but not that of the driver. Where
others want the processors, the ratio of seconds is a lower bound; that of processor seconds, in the note, holds.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import FULL, ROOT, Row, Size, Spread
from heatproof import reproductions
from heatproof.evaluation.executors import LocalExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import Progress, run_experiment

NETWORKS = ("efficientnet_lite0",)
ROUNDS, PHOTOGRAPHS = 1, 12
"""Rounds at most, and photographs, each of which is a batch."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row of the seconds of one process over those of two."""
    few = PHOTOGRAPHS if size == FULL else 2
    runs = [(measured(1, few), measured(2, few)) for _ in range(min(rounds, ROUNDS))]
    ratios = sorted(one["seconds"] / two["seconds"] for one, two in runs)
    (one, two), work = runs[0], f"the demo's methods and metrics on {few} photographs"
    note = f"{two['seconds']:.0f} against {one['seconds']:.0f} s; {two['cpu'] / one['cpu']:.2f} times its processor seconds"
    spread = Spread(ratios[len(ratios) // 2], ratios[0], ratios[-1])
    yield Row.of("workers", "two, time", network, work=work, peer="one process of one thread", spread=spread, note=note)


def measured(workers: int, photographs: int) -> dict[str, Any]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.groups.workers", str(workers), str(photographs)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(workers)}  # which the processes divide
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(workers: int, photographs: int) -> dict[str, float]:
    """Seconds and processor seconds of all units."""
    content = tomllib.loads(reproductions.read("demo_smoke"))
    experiment = Experiment.parse(content | {"precision": "plain", "dataset": {"name": "photos", "count": photographs}})
    started = list[float]()

    def note(_: Progress) -> None:
        if not started:
            started.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        summary = run_experiment(experiment, Path(folder) / "run", LocalExecutor(workers), note)
    if summary.failures:
        raise RuntimeError(summary.failures[0].traceback)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": time.perf_counter() - started[0], "cpu": spent.ru_utime + spent.ru_stime}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:]))) + "\n")
