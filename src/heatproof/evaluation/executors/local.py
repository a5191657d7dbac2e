"""Processes on this machine. A unit that is killed, hangs or crashes its process fails alone."""

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from multiprocessing import get_context, parent_process
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from heatproof.core.errors import SettingsError
from heatproof.data.base import Item
from heatproof.evaluation.executors.base import Outcome, Work, failure_of
from heatproof.evaluation.plan import Unit

Batch = tuple[str, tuple[Item, ...]]
"""A network and images: what a process keeps from one unit to the next."""


class Local:
    """`workers` processes (one per core unless given), each with its share of torch's threads; `timeout` in seconds a unit.

    A process goes on with the batch it has, and begins one that no other has, as long as there are any.

    Raises:
        SettingsError: Fewer than one process.
    """

    def __init__(self, workers: int | None = None, timeout: float | None = None) -> None:
        if workers is not None and workers < 1:
            raise SettingsError(f"workers: expected at least 1 process, got {workers}; leave it out for one per core")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = workers or cores
        self.timeout = timeout

    def run(self, work: Work, run: Path, rounds: Iterable[Sequence[Unit]]) -> Iterator[Outcome]:
        spawn = get_context("spawn")
        pools = [ProcessPool(1, initializer=_start_worker, initargs=(self.workers,), context=spawn) for _ in range(self.workers)]
        has: list[Batch | None] = [None] * self.workers
        try:
            for units in rounds:
                waiting, idle = Waiting(units), set(range(self.workers))
                running: dict[Future[None], tuple[Unit, int]] = {}
                while waiting or running:
                    while waiting and idle:
                        i = idle.pop()
                        unit, has[i] = waiting.take(has[i], has)
                        running[pools[i].schedule(work, args=(run, unit), timeout=self.timeout)] = unit, i
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        unit, i = running.pop(future)
                        idle.add(i)
                        yield self._outcome(future, unit)
        finally:
            for pool in pools:
                pool.stop()  # type: ignore[no-untyped-call]  # pebble does not annotate it
            for pool in pools:
                pool.join()

    def _outcome(self, future: Future[None], unit: Unit) -> Outcome:
        try:
            future.result()
        except TimeoutError:
            return Outcome(unit, failure_of(unit, TimeoutError(f"took longer than {self.timeout} s and was stopped")))
        except ProcessExpired as error:
            return Outcome(unit, failure_of(unit, RuntimeError(f"its process died with exit code {error.exitcode}")))
        except CancelledError as error:
            return Outcome(unit, failure_of(unit, error))
        except Exception as error:  # whatever a unit raises is written down, and the run goes on
            return Outcome(unit, failure_of(unit, error))
        return Outcome(unit)


class Waiting:
    """Units that nobody computes yet, by batch, in the order they came."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units: dict[Batch, deque[Unit]] = {}
        for unit in units:
            self._units.setdefault((unit.model_digest, unit.items), deque()).append(unit)

    def __bool__(self) -> bool:
        return bool(self._units)

    def take(self, own: Batch | None, taken: Collection[Batch | None]) -> tuple[Unit, Batch]:
        """The next unit of one's own batch; where that is done, of a batch not taken; where all are, of the first."""
        batch = own if own in self._units else next((b for b in self._units if b not in taken), next(iter(self._units)))
        units = self._units[batch]
        unit = units.popleft()
        if not units:
            del self._units[batch]
        return unit, batch


def _start_worker(workers: int) -> None:
    import signal
    from threading import Thread

    import torch

    from heatproof.passes.memory import keep_freed_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    keep_freed_memory()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers, and nobody would take what they compute."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
