"""From a model and images to a finished run with its report."""

from heatproof.pipeline.assemble import Assembly, assemble
from heatproof.pipeline.run import run
from heatproof.pipeline.steps import ExecutorName, executor_of, report_of

__all__ = ["Assembly", "ExecutorName", "assemble", "executor_of", "report_of", "run"]
