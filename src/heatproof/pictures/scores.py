"""The scores of a batch as a figure: one dot per image with its standard error, and the curves behind them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.formatting import significant
from heatproof.pictures.canvas import (
    FAINT,
    INK,
    MARGIN,
    RULE,
    Canvas,
    heading,
    heading_height,
    label,
    one_line,
    wrapped,
    write_heading,
)
from heatproof.pictures.colors import NEGATIVE, Floats
from heatproof.pictures.picture import Picture

_NAMES, _DOTS, _VALUE, _GAP, _CURVES = 2.0, 2.6, 0.6, 0.7, 3.2
_ROW = 0.24


@dataclass(frozen=True, eq=False)
class ScoreSheet:
    """What the figure shows.

    Attributes:
        title: the heading.
        subtitle: a fainter line; empty if there is none.
        names: the name of each image.
        values: the score of each image; NaN where there is none.
        errors: its standard error; NaN where there is none.
        notes: why there is no score; empty where there is one.
        curves: the curve behind each score, `[b, p]`; None if the metric has none.
        curve_at: the positions of its points; empty means 0, 1, 2 and so on.
        axes: the titles of the axes of the curves.
        omitted: the number of images that are not shown.
    """

    title: str
    subtitle: str
    names: tuple[str, ...]
    values: Floats
    errors: Floats
    notes: tuple[str, ...]
    curves: Floats | None = None
    curve_at: tuple[float, ...] = ()
    axes: tuple[str, str] = ("point", "value")
    omitted: int = 0


def draw_scores(sheet: ScoreSheet) -> Picture:
    """Draw the scores, and the curves beside them if there are any."""
    left = MARGIN + _NAMES
    body = max(len(sheet.names) * _ROW, 0.3 if sheet.curves is None else 1.7)
    width = left + _DOTS + _VALUE + MARGIN + (0.0 if sheet.curves is None else _GAP + _CURVES)
    lines = heading(sheet.title, sheet.subtitle, width - 2 * MARGIN)
    omitted = f"{sheet.omitted} more not shown. " if sheet.omitted else ""
    legend = wrapped(f"{omitted}Bars are standard errors." if omitted or np.isfinite(sheet.errors).any() else "", width, 7)
    canvas = Canvas(width, heading_height(lines) + body + 0.55 + 0.13 * len(legend))
    y = write_heading(canvas, lines)
    _draw_dots(canvas, sheet, left, y, len(sheet.names) * _ROW)
    if sheet.curves is not None:
        _draw_curves(canvas, sheet, sheet.curves, width - MARGIN - _CURVES, y, body)
    canvas.text(left, y + len(sheet.names) * _ROW + 0.32, "\n".join(legend), 7)
    canvas.note_missing_letters()
    return Picture(canvas.figure, ". ".join(filter(None, (sheet.title, sheet.subtitle))))


def _draw_dots(canvas: Canvas, sheet: ScoreSheet, x: float, y: float, height: float) -> None:
    """One row per image: its name, a dot with its error, and the number."""
    axes = canvas.axes(x, y, _DOTS, height)
    rows = np.arange(len(sheet.names))
    spread = np.nan_to_num(sheet.errors, nan=0.0)
    axes.hlines(rows, sheet.values - spread, sheet.values + spread, color=NEGATIVE, linewidth=1.2)
    axes.plot(sheet.values, rows, "o", color=NEGATIVE, markersize=4.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.08)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    for row, (name, value, note) in enumerate(zip(sheet.names, sheet.values, sheet.notes, strict=True)):
        middle = y + (row + 0.5) * _ROW
        canvas.text(x - 0.1, middle, one_line(name, _NAMES - 0.1, 8), 8, INK, ha="right", va="center")
        if np.isfinite(value):
            canvas.text(x + _DOTS + 0.08, middle, significant(float(value), 3), 8, FAINT, va="center")
        else:
            canvas.text(x + 0.05, middle, one_line(note or "NaN", _DOTS + _VALUE, 7), 7, FAINT, va="center")


def _draw_curves(canvas: Canvas, sheet: ScoreSheet, curves: Floats, x: float, y: float, height: float) -> None:
    """One thin line per image."""
    axes: Any = canvas.axes(x, y, _CURVES, height)
    for curve in curves:
        at = sheet.curve_at if len(sheet.curve_at) == len(curve) else np.arange(len(curve))
        axes.plot(at, curve, color=NEGATIVE, linewidth=0.9, alpha=max(0.35, 1 / len(curves) ** 0.5))
    axes.locator_params(axis="x", nbins=5, integer=not sheet.curve_at)
    axes.locator_params(axis="y", nbins=4)
    label(axes, sheet.axes[0])
    label(axes, sheet.axes[1], "y")
