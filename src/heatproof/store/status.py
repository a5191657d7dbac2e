"""How far a run is, read from its folder alone, so that any process may ask while others compute.

The pace and the time left come from the log of the run (`run_log.py`), in seconds that no change of a clock alters: each unit that
is left is expected to take as long as the units of its method and network took. A run of an earlier version has no log; its pace
is that of the times of its parts.
"""

import time
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.store.manifest import Manifest
from heatproof.store.run import Run
from heatproof.store.run_log import LoggedProcess, LoggedUnit, logged_processes, logged_units

if TYPE_CHECKING:
    import numpy as np

RECENT = 20
"""The number of units, the latest ones, from whose times the rate is computed."""
SILENT = 600.0
"""The seconds after which a process of another machine counts as ended if it has begun no unit and ended none, or ten times as long
as a unit takes if that is longer."""


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    Attributes:
        path: its folder.
        name: its name.
        created: when it was first started, as text.
        networks: the number of networks, as `methods`, `metrics` and `images`.
        methods: the number of methods.
        metrics: the number of metrics.
        images: the number of images.
        done: the units that are finished.
        total: the units of the run; a run that stops early has fewer in the end.
        failed: the units that failed and are not finished since.
        refused: the images that were refused.
        set_aside: the files that could not be used and were moved away.
        size: the size of the folder, in bytes.
        quiet: the time since the last unit was finished, in seconds; NaN if none is.
        rate: the units per second at the pace of the last twenty; NaN if it is not known, or nobody computes.
        left: the seconds until the end at that pace; 0 if all units have ended, and NaN if there is no pace.
        running: the units that are being computed.
        slowest: the finished unit that took longest; None if the log has none.
        peak_bytes: the most memory that a process of the run held while it computed a unit; 0 if it is not known.
    """

    path: Path
    name: str
    created: str
    networks: int
    methods: int
    metrics: int
    images: int
    done: int
    total: int
    failed: int
    refused: int
    set_aside: int
    size: int
    quiet: float
    rate: float
    left: float
    running: tuple[LoggedUnit, ...] = ()
    slowest: LoggedUnit | None = None
    peak_bytes: int = 0


def status(run: Run) -> RunStatus:
    """The state of a run now.

    Raises:
        DataError: run.json is missing or damaged.
    """
    manifest, log = run.manifest(), _Log()
    for unit in logged_units(run.path):
        log.add(unit)
    done = run.which_done(entry.key_array for entry in manifest.units)
    failures, running = run.failures(), log.running()
    times = sorted(nlargest(RECENT, (part.stat().st_mtime for part in run.each_part() if part.is_file())))
    if log.exists:
        rate, left = _pace(manifest, done, log, running, logged_processes(run.path))
    else:
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else float("nan")
        left = (len(done) - done.sum()) / rate if not done.all() else 0.0
    return RunStatus(
        path=run.path,
        name=manifest.name,
        created=manifest.created,
        networks=len(manifest.models),
        methods=len(manifest.methods),
        metrics=len(manifest.metrics),
        images=len(manifest.images),
        done=int(done.sum()),
        total=len(done),
        failed=len({failure.unit for failure in failures}),
        refused=len({failure.what for failure in run.refused()}),
        set_aside=len(list((run.path / "set_aside").glob("*"))),
        size=sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file()),
        quiet=max(time.time() - times[-1], 0.0) if times else float("nan"),
        rate=rate,
        left=left,
        running=running,
        slowest=log.slowest,
        peak_bytes=log.peak_bytes,
    )


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)


@dataclass
class _Log:
    """What a state needs of a log, which may be of a hundred thousand units."""

    exists: bool = False
    begun: list[LoggedUnit] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """When each unit that failed ended."""
    seconds: defaultdict[tuple[str, str], deque[float]] = field(default_factory=partial(defaultdict, _recent))
    """The seconds of the latest units of each method and network."""
    latest: deque[float] = field(default_factory=_recent)
    """The seconds of the latest units of all."""
    slowest: LoggedUnit | None = None
    peak_bytes: int = 0

    def add(self, unit: LoggedUnit) -> None:
        """Add a unit, in the order of the log."""
        self.exists = True
        self.peak_bytes = max(self.peak_bytes, unit.peak_bytes)
        if unit.outcome == "running":
            self.begun.append(unit)
        elif unit.outcome == "failed":
            self.failed[unit.unit] = unit.end
        elif unit.outcome == "done":
            self.seconds[unit.method, unit.model].append(unit.seconds)
            self.latest.append(unit.seconds)
            if self.slowest is None or unit.seconds > self.slowest.seconds:
                self.slowest = unit

    def running(self) -> tuple[LoggedUnit, ...]:
        """The units that are computed now; of another machine, those that were begun a short while ago."""
        longest = max(SILENT, 10 * _mean(self.latest, 0.0))
        return tuple(unit for unit in self.begun if unit.process.alive or elapsed(unit) < longest)


def _pace(
    manifest: Manifest, done: "np.ndarray[Any, Any]", log: _Log, running: Sequence[LoggedUnit], processes: Sequence[LoggedProcess]
) -> tuple[float, float]:
    """The units per second, and the seconds until the last unit ends."""
    start = max((process.started_run for process in processes), default="")
    labels = {method.key: method.label for method in manifest.methods}
    overall, waiting, left = _mean(log.latest, float("nan")), 0, 0.0
    expected = {kind: _mean(seconds, overall) for kind, seconds in log.seconds.items()}
    ended = iter(done.tolist())
    for entry in manifest.units:
        keys = sum(not next(ended) and not (key in log.failed and log.failed[key] >= start) for key in entry.each())
        waiting += keys
        left += keys * expected.get((labels.get(entry.method, ""), entry.model), overall)
    if not waiting:
        return float("nan"), 0.0
    if not running:
        return float("nan"), float("nan")
    spent = sum(min(elapsed(unit), expected.get((unit.method, unit.model), overall)) for unit in running)
    return len(running) / overall, (left - spent) / len(running)


def elapsed(unit: LoggedUnit) -> float:
    """The seconds since a unit was begun."""
    try:
        return max((datetime.now(UTC) - datetime.fromisoformat(unit.start)).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no time, as after an edit by hand
        return 0.0


def _mean(values: Collection[float], otherwise: float) -> float:
    finite = [value for value in values if value == value]
    return sum(finite) / len(finite) if finite else otherwise


def runs_in(folder: Path) -> list[Run]:
    """The runs in a folder and in its subfolders, one in another included, in the order of their paths."""
    return [Run(path.parent) for path in sorted(folder.rglob("run.json"))]
