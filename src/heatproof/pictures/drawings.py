"""Maps over line drawings, such as molecules: each position is a disc of the colour of its value, under the lines of the drawing.

Discs of neighbours melt into each other, since each fades towards its rim. Pictures are SVG; PNG and PDF are made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from heatproof.core.drawing import Drawing
from heatproof.core.errors import TensorError
from heatproof.core.formatting import significant
from heatproof.pictures.canvas import FAINT, INK, wrapped
from heatproof.pictures.colors import PERCENTILE, Floats, diverging, full_color, shares_of
from heatproof.pictures.sheet import Sheet

FONT = "Liberation Sans, Arial, sans-serif"
_COLUMNS, _GAP, _TEXT = 3, 16.0, 14.0


def place_values(values: Floats, drawing: Drawing) -> Floats:
    """The sum over channels of a map `[c, n]` at the positions that are drawn.

    Raises:
        TensorError: The map is not that of a signal, or it has fewer positions.
    """
    drawn = len(drawing.places)
    if values.ndim != 2 or values.shape[1] < drawn:
        raise TensorError(
            f"drawing: expected a map [c, n] of at least {drawn} positions, got {list(values.shape)}; "
            "give the drawing of its own item"
        )
    return np.asarray(values.sum(axis=0)[:drawn], dtype=np.float64)


def painted(drawing: Drawing, colors: "Sequence[Sequence[int]] | np.ndarray[Any, Any]" = ()) -> str:
    """The elements of the drawing over discs of these colours, uint8 `[n, 3]`, one for each position; without any by default."""
    discs = "".join(
        f'<circle cx="{x}" cy="{y}" r="{r:.2f}" fill="#{bytes(bytearray(map(int, color))).hex()}" fill-opacity="{opacity}"/>'
        for r, opacity in ((1.35 * drawing.radius, 0.3), (drawing.radius, 0.8))
        for (x, y), color in zip(drawing.places, colors, strict=False)
        if tuple(color) != (255, 255, 255)
    )
    return discs + drawing.lines


def svg(content: str, width: float, height: float) -> str:
    """A whole SVG file of some elements, on white."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="{FONT}"><rect width="100%" height="100%" fill="#ffffff"/>{content}</svg>'
    )


def png(drawn: str, scale: float = 1.0) -> bytes:
    """An SVG file as PNG."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(drawn, scale=scale))


@dataclass(frozen=True)
class SvgFigure:
    """A figure that is an SVG file, which `Picture` saves as it saves a figure of matplotlib."""

    content: str
    width: float

    def savefig(self, file: Any, format: str, **ignored: Any) -> None:
        """Write the figure as svg, png or pdf."""
        import vl_convert

        made = {"svg": str.encode, "png": lambda drawn: png(drawn, 2), "pdf": vl_convert.svg_to_pdf}
        file.write(made[format](self.content))

    def get_figwidth(self) -> float:
        """The width in inches."""
        return self.width / 100


def draw_drawings(sheet: Sheet) -> SvgFigure:
    """Draw the maps of a sheet whose panels have drawings, three in a row, each with its own scale."""
    drawings = [panel.drawing for panel in sheet.panels if panel.drawing is not None]
    width, height = (max(getattr(each, side) for each in drawings) for side in ("width", "height"))
    columns = min(_COLUMNS, len(drawings))
    cell = height + 2.6 * _TEXT
    total = columns * (width + _GAP) + _GAP
    lines = [(each, _TEXT, INK) for each in wrapped(sheet.title, total / 100, 10, 3)]
    lines += [(each, 0.8 * _TEXT, FAINT) for each in wrapped(sheet.subtitle, total / 100, 8, 3)]
    parts = [_line(_GAP, (1.5 + 1.3 * row) * _TEXT, text, size, color) for row, (text, size, color) in enumerate(lines)]
    top = (1.5 + 1.3 * len(lines)) * _TEXT
    for at, (panel, drawing) in enumerate(zip(sheet.panels, drawings, strict=True)):
        x, y = _GAP + at % columns * (width + _GAP), top + at // columns * cell
        values = place_values(np.asarray(panel.values, dtype=np.float64), drawing)
        full = full_color(values)
        parts.append(f'<g transform="translate({x:g} {y:g})">{painted(drawing, diverging(shares_of(values, full)))}</g>')
        caption = " · ".join(filter(None, (panel.heading, f"±{significant(full)}", panel.note)))
        parts += [
            _line(x, y + height + (0.9 + 1.1 * row) * 0.8 * _TEXT, text, 0.8 * _TEXT, FAINT)
            for row, text in enumerate(wrapped(caption, width / 100, 8, 2))
        ]
    omitted = f" {sheet.omitted} more not shown." if sheet.omitted else ""
    legend = f"Red is positive, blue negative; full colour, below each, is the {PERCENTILE:g}th percentile of its size.{omitted}"
    bottom = top + -(-len(drawings) // columns) * cell
    for row, text in enumerate(wrapped(legend, total / 100, 8, 3)):
        parts.append(_line(_GAP, bottom + (0.4 + row) * _TEXT, text, 0.8 * _TEXT, FAINT))
    return SvgFigure(svg("".join(parts), total, bottom + 3 * _TEXT), total)


def _line(x: float, y: float, text: str, size: float, color: str) -> str:
    return f'<text x="{x:g}" y="{y:.1f}" font-size="{size:g}" fill="{color}">{escape(text)}</text>'
