"""Output that all commands share: one console for results, and one on standard error for problems and progress."""

import logging
import re
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from heatproof.core.formatting import visible

HARD_SPACE = "\u00a0"
SHORT = 24
"""The length of a text up to which it stays on one line in a table."""


class PlainConsole(Console):
    """A console that takes every text as it is: brackets are no markup, and control characters are shown and not obeyed.

    Names of files, classes and networks may hold both.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text, "\n\t")
            yield segment if shown == segment.text else Segment(shown, segment.style)


out = PlainConsole()
err = PlainConsole(stderr=True)


def problem(message: str) -> None:
    """Print an error message on one line of standard error."""
    named(err, "error", message, style="bold red", gap=" ")


def named(console: Console, term: str, text: str, style: str = "bold", gap: str = "  ") -> None:
    """Print a term in a style, and what it stands for beside it, on one line however long it is."""
    console.print(Text.assemble((term, style), gap, text), soft_wrap=True)


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


def paragraph(text: str, style: str = "") -> None:
    """Print a text, of which no line ends inside an interval or before a per cent sign."""
    kept = re.sub(r"\[[^][]{1,40}\]| %", lambda match: match[0].replace(" ", HARD_SPACE), text)
    out.print(textwrap.fill(kept, out.width, break_on_hyphens=False).replace(HARD_SPACE, " "), style=style, markup=False)


def table(title: str, *columns: str, rows: Sequence[tuple[str, ...]]) -> Table:
    """Return a table without borders that fits narrow terminals: columns of short texts keep their lines, the others wrap."""
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0), leading=0)
    for column, cells in zip(columns, zip(columns, *rows, strict=True), strict=True):
        result.add_column(column, no_wrap=max(map(len, cells)) <= SHORT, overflow="fold", header_style="dim")
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
