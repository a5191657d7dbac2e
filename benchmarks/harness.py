"""Ratios that hold when the machine's speed drifts: everything in turn within a round, ratio by round, median with extremes."""

import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.goals import SMALLER_IS_BETTER, goal

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Size:
    """How much work a comparison is."""

    images: int = 4
    probes: int = 50
    """Nodes of a path, or noisy copies, an image."""
    regions: int = 30
    steps: int = 32
    candidates: int = 50


FULL = Size()
SHORT = Size(probes=4, regions=2, steps=4, candidates=4)
"""For a warm-up, and for a smoke run."""


class Spread(NamedTuple):
    """Median and extremes over rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One comparison: `ratio` is the median over rounds, `low` and `high` the extremes. No ratio: not run, and the note says why.

    `group` and `network` name the run that the row came from; `case` is the plan, or what was varied.
    """

    group: str
    case: str
    work: str
    network: str
    peer: str
    ratio: float | None
    low: float | None
    high: float | None
    target: float | None
    larger_is_better: bool
    met: bool | None
    note: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, group: str, case: str, network: str, *, work: str, peer: str, spread: Spread | None, note: str = "") -> "Row":
        """A row with its goal."""
        target, larger = goal(group, case, network), group not in SMALLER_IS_BETTER
        ratio, low, high = spread or (None, None, None)
        met = None if target is None or ratio is None else ratio >= target if larger else ratio <= target
        return cls(group, case, work, network, peer, ratio, low, high, target, larger, met, note)


class Work(Protocol):
    """A piece of work of any size."""

    def __call__(self, size: Size) -> object:
        """Do it."""
        ...


class Timed(NamedTuple):
    """Seconds of each work in each round, by the clock and of the processor, and what it answered last."""

    seconds: dict[str, list[float]]
    processor: dict[str, list[float]]
    answers: dict[str, Any]

    def ratio(self, above: str, below: str, scale: float = 1.0) -> Spread:
        """Seconds of one over those of the other, round by round."""
        return spread([scale * a / b for a, b in zip(self.seconds[above], self.seconds[below], strict=True)])

    def processor_ratio(self, above: str, below: str) -> Spread:
        """The same of processor time, which other programs on the machine change less."""
        return spread([a / b for a, b in zip(self.processor[above], self.processor[below], strict=True)])


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes."""
    return Spread(statistics.median(values), min(values), max(values))


def in_turn(works: Mapping[str, Work], size: Size, rounds: int) -> Timed:
    """Time all works in every round, in alternating order, after a short warm-up of each."""
    for work in works.values():
        work(SHORT)
    found = Timed({name: [] for name in works}, {name: [] for name in works}, {})
    for number in range(rounds):
        for name in reversed([*works]) if number % 2 else works:
            started = time.process_time()
            seconds, found.answers[name] = _timed(works[name], size)
            found.seconds[name].append(seconds)
            found.processor[name].append(time.process_time() - started)
    return found


def fastest(works: Mapping[int, Work], size: Size) -> int:
    """The key of the fastest work, each timed once; the first one also warms up, so let it be the largest."""
    next(iter(works.values()))(size)
    seconds = {key: _timed(work, size)[0] for key, work in works.items()}
    return min(seconds, key=lambda key: seconds[key])


def _timed(work: Work, size: Size) -> tuple[float, object]:
    started = time.perf_counter()
    answer = work(size)
    return time.perf_counter() - started, answer


# Peak memory ──────────────────────────────────────────────────────────────────────────────────────


def peak_growth(prepare: Callable[..., Callable[[], object]], *arguments: str | int) -> float:
    """MiB by which resident memory peaks above what it was, in a process of its own (Linux).

    `prepare(*arguments)` makes what both sides need before, model and images, and returns the call that is measured.
    """
    command = [sys.executable, "-m", "benchmarks.harness", prepare.__module__, prepare.__name__, *map(str, arguments)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed is given back
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def _peak() -> float:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def _report_peak_growth(module: str, function: str, *arguments: str) -> None:
    call = getattr(importlib.import_module(module), function)(*(int(a) if a.isdigit() else a for a in arguments))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before = _peak()
    call()
    sys.stdout.write(f"{_peak() - before}\n")


if __name__ == "__main__":
    _report_peak_growth(*sys.argv[1:])
