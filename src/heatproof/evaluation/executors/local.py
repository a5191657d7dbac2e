"""Computation in several processes on this machine. A unit that hangs, or whose process dies, fails alone."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from heatproof.core.errors import SettingsError, StorageError, UsageError
from heatproof.core.objects import REMEDY, packed, unpack
from heatproof.data.base import Item
from heatproof.evaluation import local_process
from heatproof.evaluation.executors.base import Outcomes, UnitOutcome, Work, failure_of
from heatproof.evaluation.plan import Unit

Batch = tuple[str, tuple[Item, ...]]
"""The digest of a network and a batch of images, which a process caches from one unit to the next."""


class LocalExecutor:
    """An executor that computes units in several processes on this machine.

    Each process has an equal share of torch's threads. A process continues with its own batch of images as long as the batch has
    units; then it begins a batch that no other process has, if there is one. Objects that the run was given (`core/objects.py`) are
    pickled for each process, in memory.

    Args:
        workers: the number of processes; by default, one for each core.
        timeout: the seconds after which a unit is stopped and fails; by default, there is no limit.

    Raises:
        SettingsError: `workers` is smaller than 1.
    """

    def __init__(self, workers: int | None = None, timeout: float | None = None) -> None:
        if workers is not None and workers < 1:
            raise SettingsError(f"workers: expected at least 1 process, got {workers}; leave it out for one per core")
        self.workers = workers or available_cores()
        self.timeout = timeout
        self._pools: list[ProcessPool] = []
        self._starts: list[Future[None]] = []

    @property
    def label(self) -> str:
        return f"local, in {self.workers} process{'es' if self.workers > 1 else ''}"

    @contextmanager
    def preparing(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._end()
            raise

    def begin(self) -> None:
        if not self._pools:
            spawn, start = get_context("spawn"), (self.workers, packed())
            for _ in range(self.workers):
                self._pools.append(ProcessPool(1, initializer=local_process.start, initargs=start, context=spawn))
                self._starts.append(self._pools[-1].schedule(unpack))

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Outcomes:
        batches: list[Batch | None] = [None] * self.workers
        ready = False
        try:
            for units in rounds:
                pending, idle = PendingUnits(units), set(range(self.workers))
                if pending and not ready:
                    self.begin()
                    _check_started(self._starts)
                    ready = True
                running: dict[Future[None], tuple[Unit, int]] = {}
                while pending or running:
                    while pending and idle:
                        i = idle.pop()
                        unit, batches[i] = pending.take(batches[i], batches)
                        running[self._pools[i].schedule(work, args=(folder, unit), timeout=self.timeout)] = unit, i
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        unit, i = running.pop(future)
                        idle.add(i)
                        yield self._outcome(future, unit)
        finally:
            self._end()

    def _end(self) -> None:
        for pool in self._pools:
            pool.stop()  # type: ignore[no-untyped-call]  # pebble has no annotation for it
        for pool in self._pools:
            pool.join()
        self._pools.clear()
        self._starts.clear()

    def _outcome(self, future: Future[None], unit: Unit) -> UnitOutcome:
        try:
            future.result()
        except StorageError:
            raise
        except TimeoutError:
            late = TimeoutError(f"the unit took longer than {self.timeout} s and was stopped")
            return UnitOutcome(unit, failure_of(unit, late), lost=True)
        except ProcessExpired as error:
            died = RuntimeError(f"the unit's process died with exit code {error.exitcode}{_killed(error.exitcode)}")
            return UnitOutcome(unit, failure_of(unit, died), lost=True)
        except CancelledError as error:
            return UnitOutcome(unit, failure_of(unit, error), lost=True)
        except Exception as error:  # the run records whatever a unit raises, and continues
            return UnitOutcome(unit, failure_of(unit, error))
        return UnitOutcome(unit)


def available_cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PendingUnits:
    """The units that no process computes yet. Those of a batch that was begun are in memory, the others are made when it is.

    Args:
        units: the units, those of a batch one after another.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self._begun: dict[Batch, list[Unit]] = {}
        """The units of each batch, the next one last."""
        self._further = groupby(units, _batch_of)
        self._number = len(units)

    def __len__(self) -> int:
        return self._number

    def take(self, own: Batch | None, taken: Collection[Batch | None]) -> tuple[Unit, Batch]:
        """Remove the next unit for a process and return it with its batch.

        The unit belongs to the process's own batch if that has units left, else to a batch that no process has, else to the first
        batch that was begun.
        """
        free = own if own in self._begun else next((batch for batch in self._begun if batch not in taken), None)
        batch = free or self._next_batch() or next(iter(self._begun))
        units = self._begun[batch]
        unit = units.pop()
        self._number -= 1
        if not units:
            del self._begun[batch]
        return unit, batch

    def put_back(self, unit: Unit) -> None:
        """Make a unit that was taken the next one of its batch."""
        self._begun.setdefault(_batch_of(unit), []).append(unit)
        self._number += 1

    def _next_batch(self) -> Batch | None:
        """Begin another batch; None if all were begun."""
        batch, units = next(self._further, (None, ()))
        if batch is not None:
            self._begun[batch] = [*reversed([*units]), *self._begun.get(batch, [])]
        return batch


def _batch_of(unit: Unit) -> Batch:
    return unit.model_digest, unit.items


def _killed(code: int | None) -> str:
    """What an exit code says of a process that was killed, as by a system that has no memory left."""
    return "; a system that runs out of memory ends processes so: use fewer --workers or a smaller batch" if code == -9 else ""


def _check_started(starts: Sequence[Future[None]]) -> None:
    """Wait for one process to start, so that what would end every process ends the run, with the remedy."""
    try:
        starts[0].result()
    except (ProcessExpired, BrokenProcessPool):
        raise UsageError(
            'executor="local": expected a process that starts, got one that ended at once, for the reason that it printed; a '
            'process imports the script that started it, so put the call under `if __name__ == "__main__":`, or use '
            'executor="serial"'
        ) from None
    except Exception as error:  # unpickling runs code of the objects, which may raise anything
        reason = " ".join(str(error).split())
        raise UsageError(
            f'executor="local": expected objects that another process can build again, got {type(error).__name__}: {reason}; '
            f"{REMEDY}"
        ) from error
