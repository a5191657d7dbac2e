"""The progress of a run as one line on standard error, which is written again and again on a terminal."""

import sys
from time import monotonic

from heatproof.core.formatting import duration
from heatproof.evaluation.run import Progress

EVERY = 0.2
"""The seconds between two updates."""
WIDTH = 79


class ProgressLine:
    """Shows how many units are done, the time so far and the time that remains; nothing where there is no terminal.

    Args:
        shown: whether to show anything.
    """

    def __init__(self, shown: bool = True) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._started = self._last = monotonic()

    def __call__(self, progress: Progress) -> None:
        now = monotonic()
        if self._shown and (now - self._last >= EVERY or progress.done == progress.total):
            self._last = now
            self._write(f"{progress.done}/{progress.total} units · {self._times(progress, now)}")

    def close(self) -> None:
        """Remove the line."""
        if self._shown:
            self._write("")

    def _times(self, progress: Progress, now: float) -> str:
        elapsed = now - self._started
        if not progress.passes or elapsed < 1:
            return f"{duration(elapsed)} elapsed"
        left = elapsed * max(progress.total_passes - progress.passes, 0) / progress.passes
        return f"{duration(elapsed)} elapsed · {duration(left)} remaining"

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text[:WIDTH].ljust(WIDTH) + ("" if text else "\r"))
        sys.stderr.flush()
