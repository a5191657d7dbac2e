"""How units get computed: an executor takes units and says, in any order, what became of each."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from heatproof.core.records import Failure
from heatproof.evaluation.plan import Unit

Work = Callable[[Path, Unit], None]


@dataclass(frozen=True)
class Outcome:
    """A finished unit; `failure` is None when its part was written."""

    unit: Unit
    failure: Failure | None = None


class Executor(Protocol):
    """Serial, local processes, or a cluster. The truth is the store, never the executor: any unit may be computed twice."""

    def run(self, work: Work, run: Path, rounds: Iterable[Sequence[Unit]]) -> Iterator[Outcome]:
        """Compute the units, round by round; one that fails does not stop the others.

        The next round is asked for when the outcome of every unit of the one before has been taken.
        """
        ...


def failure_of(unit: Unit, error: BaseException) -> Failure:
    """What is written down for a unit that ended in an exception."""
    return Failure(
        unit=unit.key,
        what=f"{unit.label} on {unit.model['name']}, {len(unit.items)} images from {unit.items[0].name}",
        reason=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )
