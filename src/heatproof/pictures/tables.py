"""Maps of tables: one bar for each of the largest values, red to the right and blue to the left; one bar for the rest."""

import numpy as np

from heatproof.core.formatting import significant
from heatproof.pictures.canvas import FAINT, INK, MARGIN, RULE, Canvas, heading, heading_height, one_line, wrapped, write_heading
from heatproof.pictures.colors import NEGATIVE, POSITIVE
from heatproof.pictures.sheet import Panel, Sheet

MOST_BARS = 12
_WIDTH, _NAMES, _ROW, _FAR = 4.6, 1.5, 0.21, 0.35
_GREY = "#b5b2ad"


def draw_tables(sheet: Sheet) -> Canvas:
    """Draw the maps of a sheet of tables; each panel holds the values `[f]` of one row."""
    per_row = min(2, len(sheet.panels))
    total = 2 * MARGIN + per_row * (_WIDTH + _FAR) - _FAR
    lines = heading(sheet.title, sheet.subtitle, total - 2 * MARGIN)
    bars = min(len(sheet.panels[0].values), MOST_BARS) + (len(sheet.panels[0].values) > MOST_BARS)
    notes = [wrapped(panel.remark, _WIDTH, 7, 3) for panel in sheet.panels]
    rows = [range(start, min(start + per_row, len(notes))) for start in range(0, len(notes), per_row)]
    heights = [0.24 + bars * _ROW + 0.14 * max(len(notes[i]) for i in row) + 0.18 for row in rows]
    legend = f"The bars are the values of the map, the largest first: red is positive and blue negative.{_omitted(sheet)}"
    canvas = Canvas(total, heading_height(lines) + sum(heights) + 0.3)
    y = write_heading(canvas, lines)
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            x = MARGIN + column * (_WIDTH + _FAR)
            panel = sheet.panels[i]
            canvas.text(x, y, one_line(panel.heading, _WIDTH, 9), 9, INK)
            _draw_bars(canvas, sheet, panel, x, y + 0.24)
            canvas.text(x, y + 0.3 + bars * _ROW, "\n".join(notes[i]), 7)
        y += height
    canvas.text(MARGIN, y, "\n".join(wrapped(legend, total - 2 * MARGIN, 7, 3)), 7)
    return canvas


def _omitted(sheet: Sheet) -> str:
    return f" {sheet.omitted} more not shown." if sheet.omitted else ""


def _draw_bars(canvas: Canvas, sheet: Sheet, panel: Panel, x: float, y: float) -> None:
    values = np.nan_to_num(np.asarray(panel.values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    order = np.argsort(-np.abs(values), kind="stable")[:MOST_BARS]
    rows = [(_name(sheet, panel, int(i)), float(values[i]), float(panel.values[i])) for i in order]
    rest = len(values) - len(order)
    if rest:
        others = float(values.sum() - values[order].sum())
        rows.append((f"{rest} others, their sum", others, others))
    largest = max(abs(value) for _, value, _ in rows) or 1.0
    both = min(value for _, value, _ in rows) < 0
    left, width = x + _NAMES + (0.5 if both else 0.05), _WIDTH - _NAMES - 0.05 - 0.5 * (2 if both else 1)
    zero, unit = (left + width / 2, width / 2 / largest) if both else (left, width / largest)
    axes = canvas.axes(0, 0, canvas.width, canvas.height, bare=True)
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(canvas.height, 0)
    axes.plot([zero, zero], [y, y + len(rows) * _ROW], color=RULE, linewidth=0.8)
    for number, (name, value, raw) in enumerate(rows):
        middle = y + (number + 0.5) * _ROW
        color = _GREY if number == MOST_BARS else POSITIVE if value > 0 else NEGATIVE
        axes.barh(middle, value * unit, height=0.13, left=zero, color=color)
        canvas.text(x + _NAMES - 0.02, middle, one_line(name, _NAMES, 8), 8, INK, ha="right", va="center")
        text = significant(raw) if np.isfinite(raw) else "NaN" if np.isnan(raw) else significant(raw)
        side = 0.05 if value >= 0 else -0.05
        canvas.text(zero + value * unit + side, middle, text, 7, FAINT, ha="left" if value >= 0 else "right", va="center")


def _name(sheet: Sheet, panel: Panel, index: int) -> str:
    """The name of an input, with its value where it is known."""
    name = sheet.names[index] if sheet.names else f"input {index}"
    return name if panel.image is None else f"{name} = {significant(float(panel.image[index]), 3)}"
