"""The log of a run: a line of JSON for everything that happens to a unit.

    log/<process>.jsonl    the lines of one process; no two processes write to one file

A line has an `event`: `process` (who writes this file), `run` (a start of the run, or its end), `start` and `end` (of a unit). The
end of a unit states its start and end in UTC, its seconds, its passes, its peak memory, the process that computed it, and its
outcome. A process that is killed leaves a start without an end. The log is for people and programs that watch a run: no number of
a run is read from it. A line that is torn, as on a full disk, is passed over.
"""

import heapq
import json
import os
import platform
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from heatproof.store.atomic import writing

FOLDER = "log"


class RunLog:
    """The file of one process in the log of a run.

    Args:
        folder: the folder of the run.

    >>> import tempfile
    >>> from heatproof.store.run_log import RunLog, logged_units
    >>> folder = tempfile.mkdtemp()
    >>> log = RunLog(folder)
    >>> log.write("start", unit="u1", method="Gradient", model="toy")
    >>> [(unit.unit, unit.outcome, unit.process.alive) for unit in logged_units(folder)]
    [('u1', 'running', True)]
    >>> log.write("end", unit="u1", method="Gradient", model="toy", outcome="done", seconds=0.5)
    >>> [(unit.unit, unit.outcome, unit.seconds) for unit in logged_units(folder)]
    [('u1', 'done', 0.5)]
    """

    def __init__(self, folder: Path | str) -> None:
        self.process = f"{re.sub(r'[^A-Za-z0-9]+', '-', platform.node()) or 'machine'}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = Path(folder) / FOLDER / f"{self.process}.jsonl"

    def write(self, event: str, **facts: Any) -> None:
        """Add a line.

        Raises:
            StorageError: the file system refuses.
        """
        with writing(self._path):
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._append({"event": "process", "host": platform.node(), "pid": os.getpid(), "began": _began(os.getpid())})
            self._append({"event": event, "at": utc(), **facts})

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


@dataclass(frozen=True)
class LoggedProcess:
    """A process that worked on a run.

    Attributes:
        name: its name, which is that of its file.
        alive: whether it still runs; None of one on another machine, of which this one cannot know.
        started_run: the time of the file system at which it started the run; empty for a process that was started by another one.
        ended_run: how its start of the run ended: `finished` or `stopped`; empty while it goes on, or if it was killed.
    """

    name: str
    alive: bool | None
    started_run: str = ""
    ended_run: str = ""


@dataclass(frozen=True)
class LoggedUnit:
    """What the log says of one computation of a unit; a unit that was computed several times has several.

    Attributes:
        unit: the key of the unit.
        method: the label of its method.
        model: the name of its network.
        process: the process that computed it.
        outcome: `done`, `failed`, `running`, or `lost` if its process has ended without a word.
        start: when it began, in UTC.
        end: when it ended; empty if it has not.
        seconds: how long it took, by a clock that nobody sets; NaN if it has not ended.
        forward: the forward passes that it took, as `backward`.
        backward: the backward passes.
        peak_bytes: the most memory that its process held meanwhile; 0 if the system does not say.
        reason: why it failed; empty if it did not.
    """

    unit: str
    method: str
    model: str
    process: LoggedProcess
    outcome: str
    start: str
    end: str = ""
    seconds: float = float("nan")
    forward: int = 0
    backward: int = 0
    peak_bytes: int = 0
    reason: str = ""


@lru_cache(maxsize=1)
def log_of(folder: Path) -> RunLog:
    """The file of this process in the log of a run."""
    return RunLog(folder)


def logged_units(folder: Path | str) -> Iterator[LoggedUnit]:
    """Everything that the log of a run says of its units, in the order of their starts."""
    return heapq.merge(*(_units(file) for file in _files(folder)), key=lambda unit: (unit.start, unit.end))


def logged_processes(folder: Path | str) -> list[LoggedProcess]:
    """The processes that worked on a run."""
    return [_process(file) for file in _files(folder)]


def utc() -> str:
    """The time now, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _files(folder: Path | str) -> list[Path]:
    return sorted((Path(folder) / FOLDER).glob("[!.]*.jsonl"))


def _process(file: Path) -> LoggedProcess:
    lines = [line for line in _lines(file) if line["event"] in ("process", "run")]
    about = next((line for line in lines if line["event"] == "process"), {})
    runs = [line for line in lines if line["event"] == "run"]
    started = max((_text(line, "at") for line in runs if line.get("outcome") == "started"), default="")
    ended = next((_text(line, "outcome") for line in runs if line.get("outcome") in ("finished", "stopped")), "")
    return LoggedProcess(file.stem, False if ended else _alive(about), started, ended)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with suppress(OSError), file.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and isinstance(entry.get("event"), str):
                yield entry


def _units(file: Path) -> Iterator[LoggedUnit]:
    process, newest = _process(file), ""
    begun: dict[str, dict[str, Any]] = {}
    for line in _lines(file):
        newest = _text(line, "unit")
        if line["event"] == "start":
            begun[_text(line, "unit")] = line
        elif line["event"] == "end":
            start = begun.pop(_text(line, "unit"), {})
            yield _unit(process, line, _text(line, "outcome"), _text(line, "start") or _text(start, "at"), _text(line, "at"))
    for unit, line in begun.items():
        running = process.alive is not False and unit == newest  # a process computes one unit at a time
        yield _unit(process, line, "running" if running else "lost", _text(line, "at"), "")


def _unit(process: LoggedProcess, line: Mapping[str, Any], outcome: str, start: str, end: str) -> LoggedUnit:
    unit, method, model, reason = (_text(line, key) for key in ("unit", "method", "model", "reason"))
    forward, backward, peak = (int(_number(line, key, 0)) for key in ("forward", "backward", "peak_bytes"))
    seconds = _number(line, "seconds", float("nan"))
    return LoggedUnit(unit, method, model, process, outcome, start, end, seconds, forward, backward, peak, reason)


def _text(line: Mapping[str, Any], key: str) -> str:
    value = line.get(key, "")
    return value if isinstance(value, str) else ""


def _number(line: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = line.get(key, otherwise)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63
    return float(value) if usable else otherwise


def _alive(about: Mapping[str, Any]) -> bool | None:
    """Whether a process of this machine still runs and is no later one of the same number; None for one of another machine."""
    pid = about.get("pid")
    if about.get("host") != platform.node() or not isinstance(pid, int):
        return None
    began = _began(pid)
    return bool(began) and began == about.get("began")


def _began(pid: int) -> str:
    """What tells a process from a later one of the same number; empty if there is none."""
    import psutil

    try:
        ticks = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
        return f"{ticks} ticks"
    except (OSError, IndexError):
        pass
    try:
        return f"{psutil.Process(pid).create_time():.0f} s"
    except (psutil.Error, ValueError, OverflowError):
        return ""
