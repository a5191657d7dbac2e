"""From a model and images to a finished run with its report."""

from heatproof.pipeline.assemble import Assembly, assemble
from heatproof.pipeline.confident_mosaics import MosaicBatch, confident_mosaics
from heatproof.pipeline.run import run
from heatproof.pipeline.steps import ExecutorName, executor_of, report_of

__all__ = ["Assembly", "ExecutorName", "MosaicBatch", "assemble", "confident_mosaics", "executor_of", "report_of", "run"]
