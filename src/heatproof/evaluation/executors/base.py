"""The interface of executors: an executor takes units and yields, in any order, the outcome of each."""

import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from heatproof.core.errors import StorageError
from heatproof.core.formatting import count
from heatproof.core.records import Failure
from heatproof.evaluation.plan import Unit

Work = Callable[[Path, Unit], None]


@dataclass(frozen=True)
class UnitOutcome:
    """The outcome of a unit that has ended.

    Attributes:
        unit: the unit.
        failure: why it failed; None if it wrote its part.
        lost: whether its process ended, or was ended, before it could write to the log of the run how the unit ended.
    """

    unit: Unit
    failure: Failure | None = None
    lost: bool = False


Outcomes = Generator[UnitOutcome, None, None]


class Executor(Protocol):
    """The interface of executors.

    The store alone determines which units are finished, so an executor may compute a unit twice without harm.
    """

    @property
    def label(self) -> str:
        """Where units are computed, in words, for the manifest and the summary."""
        ...

    def preparing(self, folder: Path) -> AbstractContextManager[None]:
        """A context in which a run is planned and its manifest is written, by one process at a time.

        Args:
            folder: the folder of the run.
        """
        ...

    def begin(self) -> None:
        """Start processes ahead of their work, where that takes time. It is called inside `preparing`, once it is known that there
        is work and nothing is timed meanwhile.
        """
        ...

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Outcomes:
        """Compute the units round by round, and yield an outcome for each. A unit that fails does not stop the others.

        Closing the generator stops all work and gives up what this process has claimed. The next round is requested only when the
        outcomes of all units of the previous round have been consumed.

        Args:
            work: the function that computes one unit.
            folder: the folder of the run.
            rounds: the units of each round.
        """
        ...


def failure_of(unit: Unit, error: BaseException) -> Failure:
    """The failure record of a unit that ended in an exception."""
    return Failure(
        unit=unit.key,
        what=f"{unit.label} on {unit.model_name}, {count(len(unit.items), 'image')} from {unit.items[0].name}",
        reason=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )


def outcome_of(work: Work, folder: Path, unit: Unit) -> UnitOutcome:
    """Compute a unit in this process, and return how it ended.

    Raises:
        StorageError: the result cannot be stored, nor could any other.
    """
    try:
        work(folder, unit)
    except StorageError:
        raise
    except Exception as error:  # the run records whatever a unit raises, and continues
        return UnitOutcome(unit, failure_of(unit, error))
    return UnitOutcome(unit)
