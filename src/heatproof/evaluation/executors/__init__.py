"""Executors compute the units of a run, one after another or in several processes."""

from heatproof.evaluation.executors.base import Executor, UnitOutcome
from heatproof.evaluation.executors.local import LocalExecutor
from heatproof.evaluation.executors.serial import SerialExecutor
from heatproof.evaluation.executors.shared import SharedExecutor

__all__ = ["Executor", "LocalExecutor", "SerialExecutor", "SharedExecutor", "UnitOutcome"]
