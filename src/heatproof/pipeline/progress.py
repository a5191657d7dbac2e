"""The progress of a run: one line that is drawn again on a terminal, and a line now and then where the output is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from heatproof.core.formatting import clock, percent
from heatproof.evaluation.run import Progress

EVERY_SECONDS = 10.0
EVERY_SHARE = 0.1
"""Where the output is no terminal, a line is printed after this time or after this share of the work, whichever is first."""
ENOUGH = 0.01
"""The share of the work from which on the time remaining is estimated: the first units measure the start more than the work."""
BAR = 10
"""The least width of the bar; it is left out where there is less room."""


class ProgressLine:
    """The line, at any time: what is done, how much of the work that is, the time elapsed and the time remaining.

    The share is that of the forward passes and not of the units, since units differ in their cost. The time remaining is estimated
    when a unit ends, and runs down until the next one ends.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._created = self._started = self._updated = now()
        self._progress: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Take the progress; the first one is that of the start."""
        self._updated = self._now()
        if self._progress is None:
            self._started = self._updated
        self._progress = progress

    @property
    def share(self) -> float:
        """The share of the work that is done."""
        progress = self._progress
        return progress.passes / progress.total_passes if progress and progress.total_passes else float(progress is not None)

    def text(self) -> str:
        """The line without its bar."""
        elapsed = f"{clock(self._now() - self._created)} elapsed"
        progress = self._progress
        if progress is None or (progress.last is None and progress.done < progress.total):
            return f"starting · {elapsed}"
        parts = [f"{progress.done:,}/{progress.total:,} units", percent(self.share), elapsed]
        if ENOUGH <= self.share < 1:
            estimate = (self._updated - self._started) * (1 - self.share) / self.share
            parts.append(f"{clock(max(0.0, estimate - (self._now() - self._updated)))} remaining")
        return " · ".join(parts)

    def label(self) -> str:
        """What was computed last."""
        return self._progress.last.label if self._progress and self._progress.last else ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(self.text(), no_wrap=True, overflow="ellipsis")
        room = options.max_width - len(text) - 2
        if room >= BAR:
            width = min(room, 3 * BAR)
            full = round(width * self.share)
            text = Text.assemble(
                ("━" * full, "green"), ("━" * (width - full), "dim"), "  ", text, no_wrap=True, overflow="ellipsis"
            )
            text.append(f"  {self.label()}" if room > 5 * BAR else "", style="dim")
        yield text


@contextmanager
def progress_bar(console: Console, lines: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Yield a callback that shows the progress of a run; where the console is no terminal, in `lines` or not at all."""
    line = ProgressLine()
    if not console.is_terminal:
        yield _plain(line, console) if lines else lambda progress: None
        return
    with Live(line, console=console, transient=True, refresh_per_second=4):

        def show(progress: Progress) -> None:
            line.update(progress)
            _print_stops(progress, console)

        yield show


def _plain(line: ProgressLine, console: Console) -> Callable[[Progress], None]:
    """A callback that prints lines, of which the first tells that the run starts and the last that it is done."""
    printed_at, printed_share = float("-inf"), -1.0

    def show(progress: Progress) -> None:
        nonlocal printed_at, printed_share
        line.update(progress)
        _print_stops(progress, console)
        late = time.monotonic() - printed_at >= EVERY_SECONDS
        if late or line.share - printed_share >= EVERY_SHARE or progress.done == progress.total:
            printed_at, printed_share = time.monotonic(), line.share
            console.print(" · ".join(filter(None, (line.text(), line.label()))), markup=False, soft_wrap=True)

    return show


def _print_stops(progress: Progress, console: Console) -> None:
    for stopped in progress.stopped:
        console.print(str(stopped), markup=False, soft_wrap=True)
