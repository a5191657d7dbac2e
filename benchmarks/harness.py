"""Ratios that hold when the machine's speed drifts: ours and theirs in turn, ratio by pair, median with its spread."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is theirs over ours, so above 1 is in our favour; `low` and `high` are the extremes of the pairs."""

    work: str
    network: str
    peer: str
    ratio: float
    low: float
    high: float
    target: float
    higher_is_better: bool
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def paired(ours: Callable[[], object], theirs: Callable[[], object], pairs: int = 5) -> tuple[float, float, float]:
    """Median, lowest and highest of theirs / ours over alternating pairs, after one warm-up of each."""
    ours()
    theirs()
    ratios = []
    for pair in range(pairs):
        if pair % 2:
            other, own = seconds(theirs), seconds(ours)
        else:
            own, other = seconds(ours), seconds(theirs)
        ratios.append(other / own)
    return statistics.median(ratios), min(ratios), max(ratios)


def peak_growth(code: str) -> float:
    """MiB by which the peak of resident memory grew while `work()` ran, in a process of its own.

    `code` defines `work`; it must have made what both sides need before, model and images.
    """
    script = f"{code}\nfrom benchmarks.harness import report_growth\nreport_growth(work)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def report_growth(work: Callable[[], object]) -> None:
    """Run the work and write the growth of the peak to standard output."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    sys.stdout.write(f"{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}\n")
