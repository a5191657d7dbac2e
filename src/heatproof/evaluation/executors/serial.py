"""Computation of one unit after another in the current process."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from heatproof.evaluation.executors.base import UnitOutcome, Work, failure_of
from heatproof.evaluation.plan import Unit


class SerialExecutor:
    """An executor that computes units one after another in the current process, which needs nothing to be pickled."""

    label = "serial, in this process"

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Iterator[UnitOutcome]:
        for unit in chain.from_iterable(rounds):
            try:
                work(folder, unit)
            except Exception as error:  # the run records whatever a unit raises, and continues
                yield UnitOutcome(unit, failure_of(unit, error))
            else:
                yield UnitOutcome(unit)
