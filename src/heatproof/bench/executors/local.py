"""Processes on this machine. A unit that is killed, hangs or crashes its process fails alone."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from heatproof.bench.executors.base import Outcome, Work, failure_of
from heatproof.bench.plan import Unit


class Local:
    """`workers` processes (one per core unless given), each with its share of torch's threads; `timeout` in seconds a unit."""

    def __init__(self, workers: int | None = None, timeout: float | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = workers or cores
        self.timeout = timeout

    def run(self, work: Work, run: Path, rounds: Iterable[Sequence[Unit]]) -> Iterator[Outcome]:
        pool = ProcessPool(self.workers, initializer=_start_worker, initargs=(self.workers,), context=get_context("spawn"))
        try:
            for units in rounds:
                futures: dict[Future[None], Unit] = {
                    pool.schedule(work, args=(run, unit), timeout=self.timeout): unit for unit in units
                }
                for future in as_completed(futures):
                    yield self._outcome(future, futures[future])
        finally:
            pool.stop()  # type: ignore[no-untyped-call]  # pebble does not annotate it
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
