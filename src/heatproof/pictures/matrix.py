"""A matrix of numbers from −1 to 1 as a figure: coloured cells with their number and its interval."""

from dataclasses import dataclass

import numpy as np

from heatproof.core.formatting import number
from heatproof.pictures.canvas import FAINT, INK, MARGIN, Canvas, heading, heading_height, wrapped, write_heading
from heatproof.pictures.colors import Floats, diverging
from heatproof.pictures.picture import Picture

_NAMES, _CELL, _ROW, _LINE = 2.1, 0.78, 0.46, 0.14
_PALE = 0.55
"""The share of full colour that ±1 has, so that dark text is legible on it."""


@dataclass(frozen=True, eq=False)
class MatrixSheet:
    """What the figure shows.

    Attributes:
        title: the heading.
        subtitle: a fainter line; empty if there is none.
        names: the name of each row and column.
        values: the numbers, `[n, n]` from −1 to 1; NaN where there is none.
        low: the lower ends of their intervals.
        high: the upper ends.
    """

    title: str
    subtitle: str
    names: tuple[str, ...]
    values: Floats
    low: Floats
    high: Floats


def draw_matrix(sheet: MatrixSheet) -> Picture:
    """Draw the matrix below its diagonal. Columns have the numbers of the rows, which stand before their names."""
    n, left = len(sheet.names), MARGIN + _NAMES
    width = max(left + n * _CELL + MARGIN, 4.5)
    lines = heading(sheet.title, sheet.subtitle, width - 2 * MARGIN)
    top = heading_height(lines) + 0.2
    canvas = Canvas(width, top + n * _ROW + MARGIN)
    write_heading(canvas, lines)
    pixels = np.full((n, n, 3), 255, dtype=np.uint8)
    below = np.tri(n, k=-1, dtype=bool) & np.isfinite(sheet.values)
    pixels[below] = diverging(_PALE * np.clip(sheet.values[below], -1, 1))
    axes = canvas.axes(left, top, n * _CELL, n * _ROW, bare=True)
    axes.imshow(pixels, aspect="auto", interpolation="nearest")
    for row, name in enumerate(sheet.names):
        middle = top + (row + 0.5) * _ROW
        label = "\n".join(wrapped(f"{row + 1}  {name}", _NAMES - 0.1, 8.5))
        canvas.text(left - 0.1, middle, label, 8, INK, ha="right", va="center")
        canvas.text(left + (row + 0.5) * _CELL, top - 0.05, str(row + 1), 8, FAINT, ha="center", va="bottom")
        for column in range(row):
            if np.isfinite(sheet.values[row, column]):
                x = left + (column + 0.5) * _CELL
                canvas.text(x, middle - 0.01, _two(sheet.values[row, column]), 8.5, INK, ha="center", va="bottom")
                known = np.isfinite(sheet.low[row, column])
                ends = f"{_two(sheet.low[row, column])} to {_two(sheet.high[row, column])}" if known else "no interval"
                canvas.text(x, middle + 0.03, ends, 5.8, INK, ha="center", va="top")
    return Picture(canvas.figure, ". ".join(filter(None, (sheet.title, sheet.subtitle, _in_words(sheet)))))


def _in_words(sheet: MatrixSheet) -> str:
    """The pairs with the largest and the smallest number."""
    below = np.where(np.tri(len(sheet.names), k=-1, dtype=bool), sheet.values, np.nan)
    if not np.isfinite(below).any():
        return ""
    words = []
    for what, at in (("Largest", np.nanargmax(below)), ("Smallest", np.nanargmin(below))):
        i, j = np.unravel_index(at, below.shape)
        words.append(f"{what}: {_two(below[i, j])}, {sheet.names[i]} with {sheet.names[j]}")
    return ". ".join(words)


def _two(value: float) -> str:
    """The number with two decimals, however small it is."""
    return number(round(float(value), 2) + 0.0, 2)  # + 0 makes −0 a zero
