"""The report of a run: one self-contained page, with its tables and figures as files.

This package reads the store and never imports torch.
"""

from heatproof.report.page import RunAnalysis, build

__all__ = ["RunAnalysis", "build"]
