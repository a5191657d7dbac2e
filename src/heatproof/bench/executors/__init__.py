"""How units get computed."""

from heatproof.bench.executors.base import Executor, Outcome
from heatproof.bench.executors.local import Local
from heatproof.bench.executors.serial import Serial

__all__ = ["Executor", "Local", "Outcome", "Serial"]
