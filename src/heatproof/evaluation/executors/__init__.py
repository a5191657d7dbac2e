"""How units get computed."""

from heatproof.evaluation.executors.base import Executor, Outcome
from heatproof.evaluation.executors.local import Local
from heatproof.evaluation.executors.serial import Serial

__all__ = ["Executor", "Local", "Outcome", "Serial"]
