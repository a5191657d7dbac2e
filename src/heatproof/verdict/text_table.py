"""Tables of plain text that fit a width: columns that do not fit go into a further table below, under the same first column."""

import textwrap
from collections.abc import Iterator, Sequence

GAP = "  "


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """The table, as one or more blocks of lines that are separated by an empty line. Heads may have several lines.

    >>> from heatproof.verdict.text_table import text_table
    >>> print(text_table(["metric", "images"], [["SRG", "12"], ["AUPC", "60"]], width=30))
    metric  images
    SRG         12
    AUPC        60
    """
    columns = [[*head.split("\n"), *cells] for head, cells in zip(heads, zip(*rows, strict=True), strict=True)]
    deepest = max(head.count("\n") for head in heads) + 1
    for column, head in zip(columns, heads, strict=True):
        column[:0] = [""] * (deepest - 1 - head.count("\n"))
    first, others = _first_column(columns[0], deepest, width), columns[1:]
    blocks = []
    for few in _that_fit(first, others, width):
        lines = []
        for index, line in enumerate(first):
            cells = [column[index].rjust(max(map(len, column))) for column in few]
            lines.append(GAP.join([line, *cells]).rstrip())
        blocks.append("\n".join(lines).lstrip("\n"))
    return "\n\n".join(blocks)


def _first_column(cells: Sequence[str], heads: int, width: int) -> list[str]:
    """The cells of the first column, of one width. A long one is shortened, so that there is room for others beside it."""
    most = max(12, width // 3)
    short = [textwrap.shorten(cell, most, placeholder="…") if len(cell) > most else cell for cell in cells]
    longest = max(map(len, short))
    return [cell.ljust(longest) for cell in short]


def _that_fit(first: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> Iterator[list[Sequence[str]]]:
    few: list[Sequence[str]] = []
    used = len(first[0])
    for column in columns:
        needed = len(GAP) + max(map(len, column))
        if few and used + needed > width:
            yield few
            few, used = [], len(first[0])
        few.append(column)
        used += needed
    yield few
