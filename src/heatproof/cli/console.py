"""Output that all commands share: one console for results, and one on standard error for problems and progress."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from heatproof.evaluation.run import Progress

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def problem(message: str) -> None:
    """Print an error message on one line of standard error."""
    err.print("[bold red]error[/]", end=" ")
    err.print(message, markup=False, soft_wrap=True)


class _ConsoleHandler(logging.Handler):
    """Prints each log record as one dim line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        err.print(self.format(record), style="dim", markup=False, soft_wrap=True)


def show_log() -> None:
    """Print the log messages of the package, from level INFO on."""
    log = logging.getLogger("heatproof")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _ConsoleHandler) for handler in log.handlers):
        log.addHandler(_ConsoleHandler())


def table(title: str, *columns: str, rows: Sequence[tuple[str, ...]]) -> Table:
    """Return a table without borders that fits narrow terminals; the first column wraps only if it is long."""
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0), leading=0)
    for index, column in enumerate(columns):
        result.add_column(
            column, no_wrap=index == 0 and max((len(row[0]) for row in rows), default=0) < 32, overflow="fold", header_style="dim"
        )
    for row in rows:
        result.add_row(*row)
    return result


def definitions(title: str, rows: Sequence[tuple[str, ...]]) -> Group:
    """Return a list of terms, each with its meaning and, if there are any, dim remarks on a line of their own.

    Meanings stand beside their terms, or below them where the terms are long for the width of the terminal.
    """
    longest = max((len(row[0]) for row in rows), default=0)
    beside = longest + 4 <= 0.4 * out.width
    result = Table.grid(padding=(0, 2, 0, 0))
    if beside:
        result.add_column(no_wrap=True)
    result.add_column(overflow="fold")
    for term, meaning, *remarks in rows:
        text = Text(meaning)
        for remark in filter(None, remarks):
            text.append(("\n" if text else "") + remark, style="dim")
        if beside:
            result.add_row(Text(term, style="bold"), text)
        else:
            result.add_row(Text(term, style="bold"))
            result.add_row(Padding(text, (0, 0, 0, 2)))
    return Group(Text(title, style="bold"), Padding(result, (0, 0, 0, 2)))


@contextmanager
def progress_bar() -> Iterator[Callable[["Progress"], None]]:
    """Yield a callback that shows the progress of a run: a bar on a terminal, and plain lines elsewhere.

    The bar advances with the forward passes that are done, not with the number of units, since units differ in their cost.
    """
    if not err.is_terminal:
        yield _plain_line
        return
    from rich import progress as bars

    with bars.Progress(
        bars.TextColumn("{task.fields[units]}"),
        bars.BarColumn(bar_width=None),
        bars.TextColumn("{task.percentage:>3.0f} %"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("[dim]{task.description}"),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None, units="")

        def show(progress: "Progress") -> None:
            bar.update(
                task,
                total=max(progress.total_passes, 1),
                completed=progress.passes if progress.total_passes else 1,
                units=f"{progress.done}/{progress.total} units",
                description=progress.last.label if progress.last else "",
            )
            for stopped in progress.stopped:
                bar.console.print(str(stopped), markup=False, soft_wrap=True)

        yield show


def _plain_line(progress: "Progress") -> None:
    """Print the progress as one line of text."""
    for stopped in progress.stopped:
        err.print(str(stopped), markup=False, soft_wrap=True)
    last = f" {progress.last.label}" if progress.last else ""
    err.print(f"{progress.done}/{progress.total} units{last}", markup=False)
