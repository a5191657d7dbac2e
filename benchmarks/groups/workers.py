"""How much faster two processes of one thread each compute the demo's methods and metrics than one such process does.

python -m benchmarks workers                                 one after the other, five minutes on a quiet machine
python -m benchmarks.groups.workers PROCESSES PHOTOGRAPHS    one run, as a line of JSON
python -m benchmarks.groups.workers plain PROCESSES SECONDS  passes by torch alone, as a line of JSON

The last says what the machine has to give: processes that share nothing, each with forward and backward passes of the same network
and nothing else. Where two of them are not twice as fast as one, neither is anything that is made of passes.

Seconds count from when the first unit is handed out, so the start of the processes is in them, but not that of the driver. Where
others want the processors, the ratio of seconds is a lower bound; that of processor seconds, in the note, holds.
"""

import json
import multiprocessing
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

import torch

from benchmarks.harness import FULL, ROOT, Row, Size, Spread
from heatproof import reproductions
from heatproof.evaluation.executors import LocalExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import Progress, run_experiment
from heatproof.models.loaders import load_model
from heatproof.passes.memory import keep_freed_memory

NETWORKS = ("efficientnet_lite0",)
ROUNDS, PHOTOGRAPHS = 1, 12
"""Rounds at most, and photographs, each of which is a batch."""
CHUNK, SECONDS = 16, 12.0
"""The images of a plain pass, as a run of this network has them, and how long plain passes are counted."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row of the seconds of one process over those of two, and one of the passes of two processes over those of one."""
    few = PHOTOGRAPHS if size == FULL else 2
    runs = [(measured(1, few), measured(2, few)) for _ in range(min(rounds, ROUNDS))]
    ratios = sorted(one["seconds"] / two["seconds"] for one, two in runs)
    (one, two), work = runs[0], f"the demo's methods and metrics on {few} photographs"
    note = f"{two['seconds']:.0f} against {one['seconds']:.0f} s; {two['cpu'] / one['cpu']:.2f} times its processor seconds"
    spread = Spread(ratios[len(ratios) // 2], ratios[0], ratios[-1])
    yield Row.of("workers", "two, time", network, work=work, peer="one process of one thread", spread=spread, note=note)
    seconds = SECONDS if size == FULL else 1.0
    pairs = [(measured(1, seconds=seconds), measured(2, seconds=seconds)) for _ in range(rounds)]
    ratios = sorted(two["passes a second"] / one["passes a second"] for one, two in pairs)
    spread, (one, two) = Spread(ratios[len(ratios) // 2], ratios[0], ratios[-1]), pairs[0]
    note = f"{two['cpu'] / one['cpu']:.2f} times the processor seconds a pass"
    yield Row.of(
        "workers", "two, plain passes", network, work="torch alone", peer="one process of one thread", spread=spread, note=note
    )


def measured(workers: int, photographs: int | None = None, seconds: float = SECONDS) -> dict[str, Any]:
    """One run in a process of its own; plain passes for so many seconds where there are no photographs."""
    last = str(seconds) if photographs is None else str(photographs)
    command = [sys.executable, "-m", "benchmarks.groups.workers", *(["plain"] if photographs is None else []), str(workers), last]
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


def plain(processes: int, seconds: float) -> dict[str, float]:
    """The passes a second of so many processes together, a backward pass with each forward pass, and processor seconds a pass."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(processes)
    with spawn.Pool(processes, _wait_for, (ready,)) as pool:
        found = pool.map(_passes, [seconds] * processes, chunksize=1)
    return {"passes a second": sum(rate for rate, _ in found), "cpu": sum(cpu for _, cpu in found) / processes}


_ready: Any = None


def _wait_for(barrier: Any) -> None:
    global _ready
    _ready = barrier


def _passes(seconds: float) -> tuple[float, float]:
    """Passes a second, and processor seconds a pass, of this process, counted from when all processes are ready."""
    torch.set_num_threads(1)
    keep_freed_memory()
    network = load_model(NETWORKS[0]).module.eval().requires_grad_(False)
    images = torch.rand(CHUNK, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def both_ways() -> None:
        network(images.clone().requires_grad_()).amax(1).sum().backward()

    both_ways()
    _ready.wait()
    count, started, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        both_ways()
        count += CHUNK
    return count / (time.perf_counter() - started), (time.process_time() - cpu) / count


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    done = plain(int(numbers[0]), float(numbers[1])) if what == "plain" else run(int(what), int(numbers[0]))
    sys.stdout.write(json.dumps(done) + "\n")
