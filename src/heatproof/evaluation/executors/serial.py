"""Computation of one unit after another in the current process."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

from heatproof.evaluation.executors.base import Outcomes, Work, outcome_of
from heatproof.evaluation.plan import Unit


class SerialExecutor:
    """An executor that computes units one after another in the current process, which needs nothing to be pickled."""

    label = "serial, in this process"

    def preparing(self, folder: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> None:
        pass

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Outcomes:
        for unit in chain.from_iterable(rounds):
            yield outcome_of(work, folder, unit)
