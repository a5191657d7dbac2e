"""Computation in one of several processes that share the folder of a run, on one machine or on many."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from heatproof.evaluation.executors.base import Outcomes, Work, outcome_of
from heatproof.evaluation.plan import Unit
from heatproof.store.claims import STALE, Claims
from heatproof.store.run import Run

SETUP = "setup"
"""The claim of the process that makes the manifest, by which the others know how passes are computed."""


class SharedExecutor:
    """An executor that computes those units that no other process of the same run has claimed, one after another.

    The same command is started any number of times, as by a job array; no process need know of another. A process ends when all
    units have ended, whoever computed them. The unit of a process that dies is computed by another one two minutes later.

    Args:
        stale: the seconds after which a claim that was not renewed counts as left behind.
        wait: the seconds between two looks at what the others have done.
    """

    label = "shared by several processes"

    def __init__(self, stale: float = STALE, wait: float = 1.0) -> None:
        self._stale, self._wait = stale, wait

    @contextmanager
    def preparing(self, folder: Path) -> Iterator[None]:
        claims = Claims(folder, self._stale)
        while not claims.take(SETUP):
            time.sleep(self._wait)
        with claims.renewing(SETUP):
            yield

    def begin(self) -> None:
        pass

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Outcomes:
        store, claims = Run.create(folder), Claims(folder, self._stale)
        started = claims.now()
        for units in rounds:
            pending = units
            while pending:
                left: list[Unit] = []  # those that others compute now
                for unit in pending:
                    if _ended(store, unit.key, started):
                        continue
                    if not claims.take(unit.key):
                        left.append(unit)
                        continue
                    with claims.renewing(unit.key):
                        if not _ended(store, unit.key, started):  # another process may have ended it before the claim
                            yield outcome_of(work, folder, unit)
                if len(left) == len(pending):
                    time.sleep(self._wait)
                pending = left


def _ended(store: Run, unit: str, started: float) -> bool:
    """Whether a unit is stored, or failed after this process started: one that failed before is tried again."""
    with suppress(FileNotFoundError):
        if store.failure_path(unit).stat().st_mtime >= started:
            return True
    return store.part_path(unit).exists()
