"""One self-contained page that says what a run has shown and what it has not. Reads the store; never imports torch."""

from heatproof.report.page import build

__all__ = ["build"]
