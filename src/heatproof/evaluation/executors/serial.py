"""One unit after another, in this process."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from heatproof.evaluation.executors.base import Outcome, Work, failure_of
from heatproof.evaluation.plan import Unit


class Serial:
    """The simplest executor, and the one to debug with."""

    def run(self, work: Work, run: Path, rounds: Iterable[Sequence[Unit]]) -> Iterator[Outcome]:
        for unit in chain.from_iterable(rounds):
            try:
                work(run, unit)
            except Exception as error:  # whatever a unit raises is written down, and the run goes on
                yield Outcome(unit, failure_of(unit, error))
            else:
                yield Outcome(unit)
