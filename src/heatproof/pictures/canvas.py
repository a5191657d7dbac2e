"""Figures whose parts are placed in inches from the upper left corner, and the text on them.

Text is never read as a formula, since names of classes may hold dollar signs. Fonts are those of the report, where the machine has
them, or another installed font that has the letters; a note says so where none has.
"""

import textwrap
from typing import Any

from heatproof.pictures.letters import fonts, missing

INK, FAINT, RULE = "#1c1b1a", "#5d5a55", "#c9c5bd"
MARGIN = 0.2
DPI = 160
_EM = 0.53
"""The mean width of a letter as a share of the size of the font."""


def wrapped(text: str, inches: float, size: float, lines: int = 2) -> list[str]:
    """The text in at most that many lines of the given width at a size in points; what does not fit becomes an ellipsis."""
    return textwrap.wrap(text, max(8, int(72 * inches / (_EM * size))), max_lines=lines, placeholder=" …")


def one_line(text: str, inches: float, size: float) -> str:
    """The text cut to one line of the given width."""
    return next(iter(wrapped(text, inches, size, 1)), "")


class Canvas:
    """A figure of a size in inches, white, whose parts are placed by their distance from the upper left corner, on whole pixels."""

    def __init__(self, width: float, height: float, dpi: float = DPI) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height, self.dpi = round(width * dpi) / dpi, round(height * dpi) / dpi, dpi
        self.figure: Any = Figure(figsize=(self.width, self.height), dpi=dpi, facecolor="white")
        FigureCanvasAgg(self.figure)
        self._missing: set[str] = set()

    def axes(self, x: float, y: float, width: float, height: float, *, bare: bool = False) -> Any:
        """Axes at a place; without frame and ticks if `bare`."""
        x, y, width, height = (round(self.dpi * inches) / self.dpi for inches in (x, y, width, height))
        place = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        if bare:
            axes.set_axis_off()
            return axes
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(RULE)
        axes.tick_params(length=2.5, width=0.6, color=RULE, labelcolor=FAINT, labelsize=7, labelfontfamily=fonts(""))
        return axes

    def text(self, x: float, y: float, text: str, size: float = 8, color: str = FAINT, **style: Any) -> None:
        """A text whose upper left corner, or whose corner by `ha` and `va`, is at that place."""
        style = {"ha": "left", "va": "top", **style}
        self._missing.update(missing(text))
        self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, color=color, fontfamily=fonts(text), parse_math=False, **style
        )

    def note_missing_letters(self) -> None:
        """Say at the lower edge which letters are drawn as boxes, and what to do about it."""
        if self._missing:
            code = f"U+{ord(min(self._missing)):04X}"
            text = f"Boxes stand for letters that no installed font has ({code}, …): install one for them, such as Noto Sans CJK."
            self._missing.clear()
            self.text(MARGIN, self.height - 0.04, text, 6, va="bottom")

    def inside(self, x: float, y: float, width: float, height: float, text: str) -> None:
        """A remark in the middle of a place."""
        self.text(x + width / 2, y + height / 2, "\n".join(wrapped(text, width - 0.1, 8, 3)), 8, ha="center", va="center")

    def show(self, x: float, y: float, width: float, height: float, pixels: Any) -> None:
        """An image at a place, uint8 [h, w] or [h, w, 3], with a hair line around it."""
        axes = self.axes(x, y, width, height)
        colors = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.ndim == 2 else {}
        axes.imshow(pixels, aspect="auto", interpolation="auto", **colors)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_linewidth(0.5)


def label(axes: Any, text: str, along: str = "x") -> None:
    """The title of an axis, in the font of the canvas."""
    setter = axes.set_xlabel if along == "x" else axes.set_ylabel
    setter(text, fontsize=7.5, color=FAINT, fontfamily=fonts(text), labelpad=3, parse_math=False)
    if along == "y":
        axes.yaxis.set_label_coords(-0.37 / (axes.get_position().width * axes.figure.get_figwidth()), 0.5)


def heading(title: str, subtitle: str, width: float) -> list[tuple[str, float, str, str, float]]:
    """The lines of a heading as (text, size, colour, weight, height in inches)."""
    first = [(line, 11.0, INK, "bold", 0.2) for line in wrapped(title, width, 12, 3)]
    return first + [(line, 8.0, FAINT, "normal", 0.15) for line in wrapped(subtitle, width, 8, 3)]


def write_heading(canvas: Canvas, lines: list[tuple[str, float, str, str, float]]) -> float:
    """Write the heading; return where the rest begins, in inches from the top."""
    y = MARGIN
    for text, size, color, weight, height in lines:
        canvas.text(MARGIN, y, text, size, color, weight=weight)
        y += height
    return y + 0.14


def heading_height(lines: list[tuple[str, float, str, str, float]]) -> float:
    """Where the rest begins, in inches from the top."""
    return MARGIN + sum(line[-1] for line in lines) + 0.14
