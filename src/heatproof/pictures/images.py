"""Maps of images: each map beside its overlay, with a colour bar beneath, and the photograph before them."""

from dataclasses import dataclass

import numpy as np

from heatproof.core.formatting import significant
from heatproof.core.records import Reduction
from heatproof.pictures.canvas import DPI, INK, MARGIN, Canvas, heading, heading_height, wrapped, write_heading
from heatproof.pictures.colors import PERCENTILE, Floats, Pixels, diverging, full_color, overlay, shares_of
from heatproof.pictures.sheet import Panel, Sheet
from heatproof.pictures.signed_map import FLOAT32, signed_map

WIDEST = 12.0
MOST_DPI = 260
_LARGE = 4  # more images than these are drawn smaller
_TILE_SMALL, _TILE, _TILE_ALONE = 1.6, 2.1, 2.7
_NEAR, _FAR = 0.06, 0.28  # between the tiles of a group, and between groups
_TITLE, _BAR, _NOTE = 0.16, 0.34, 0.13
_MISSING = np.array([170, 170, 170], dtype=np.uint8)


@dataclass(frozen=True)
class ShownMap:
    """A map as it is drawn: its pixels, the shares of full colour, the value of full colour, and why there is nothing to see."""

    pixels: Pixels
    shares: Floats
    full: float
    trouble: str


def shown_map(panel: Panel, reduction: Reduction = Reduction.SUM) -> ShownMap:
    """The map of an image in colours. Pixels that are not finite are grey.

    Args:
        panel: the map `[c, h, w]`; `[1, h, w]` if its channels are reduced already.
        reduction: how they were reduced; the signed sum is taken here.
    """
    raw = np.asarray(panel.values, dtype=np.float64)
    broken = ~np.isfinite(raw).all(axis=0)
    values = signed_map(raw, FLOAT32, panel.score) if reduction is Reduction.SUM else np.where(broken, 0.0, raw[0])
    full = full_color(values[~broken]) if panel.full is None else panel.full
    shares = shares_of(values, full)
    pixels = diverging(shares)
    pixels[broken] = _MISSING
    trouble = ""
    if broken.all():
        trouble = "NaN or infinity everywhere"
    elif full == 0:
        trouble = "zero everywhere"
    return ShownMap(pixels, shares, full, trouble)


def draw_images(sheet: Sheet) -> Canvas:
    """Draw the maps of a sheet of images."""
    first = sheet.panels[0]
    height, width = first.values.shape[-2:]
    lead, own = sheet.image is not None, first.image is not None
    tiles = 1 + (sheet.overlay and (lead or own)) + (own and sheet.plain)
    tile = _TILE_ALONE if tiles * len(sheet.panels) + lead <= 3 else _TILE
    tile = _TILE_SMALL if tiles == 3 and len(sheet.panels) > _LARGE else tile
    across, down = tile * min(1.0, max(width / height, 0.3)), tile * min(1.0, max(height / width, 0.3))
    group = tiles * across + (tiles - 1) * _NEAR
    before = across + _FAR if lead else 0.0
    per_row = max(1, min(len(sheet.panels), int((WIDEST - 2 * MARGIN - before + _FAR) // (group + _FAR))))
    if per_row > 2 and len(sheet.panels) % per_row:  # fill rows evenly
        per_row = -(-len(sheet.panels) // -(-len(sheet.panels) // per_row))
    total = max(2 * MARGIN + before + per_row * (group + _FAR) - _FAR, 3.4)
    lines = heading(sheet.title, sheet.subtitle, total - 2 * MARGIN)
    titles = [wrapped(panel.heading, group, 9) for panel in sheet.panels]
    shown = [shown_map(panel, sheet.reduction) for panel in sheet.panels]
    notes = [wrapped(panel.remark, group, 7, 4) for panel in sheet.panels]
    legend = wrapped(_legend(sheet, shown), total - 2 * MARGIN, 7, 4)
    rows = [range(start, min(start + per_row, len(shown))) for start in range(0, len(shown), per_row)]
    above = [max(len(titles[i]) for i in row) * _TITLE for row in rows]
    below = [_BAR + max(len(notes[i]) for i in row) * _NOTE for row in rows]
    height_of_all = heading_height(lines) + sum(above) + sum(below) + len(rows) * (down + 0.12) + len(legend) * _NOTE + 0.12
    canvas = Canvas(total, height_of_all, _dpi(width, across))
    y = write_heading(canvas, lines)
    for row, room, rest in zip(rows, above, below, strict=True):
        y += room
        if lead and row[0] == 0:
            canvas.text(MARGIN, y - 0.06, "image", 9, INK, va="baseline")
            canvas.show(MARGIN, y, across, down, sheet.image)
        for column, i in enumerate(row):
            x = MARGIN + before + column * (group + _FAR)
            for number, line in enumerate(reversed(titles[i])):
                canvas.text(x, y - 0.06 - number * _TITLE, line, 9, INK, va="baseline")
            _draw_group(canvas, sheet, sheet.panels[i], shown[i], (x, y, across, down))
            canvas.text(x, y + down + (_BAR - 0.02 if shown[i].full else 0.08), "\n".join(notes[i]), 7, linespacing=1.25)
        y += down + rest + 0.12
    canvas.text(MARGIN, y, "\n".join(legend), 7, linespacing=1.25)
    return canvas


def _dpi(pixels: int, inches: float) -> float:
    """The resolution at which a pixel of a map is a whole number of dots, where this is no more than `MOST_DPI`."""
    dots = -(-DPI * inches // pixels) * pixels
    return float(dots / inches) if dots / inches <= MOST_DPI else DPI


def _draw_group(canvas: Canvas, sheet: Sheet, panel: Panel, shown: ShownMap, place: tuple[float, float, float, float]) -> None:
    """The photograph of the panel if it has its own, the map with its bar, and the overlay if there is a photograph."""
    x, y, across, down = place
    if panel.image is not None and sheet.plain:
        canvas.show(x, y, across, down, panel.image)
        x += across + _NEAR
    canvas.show(x, y, across, down, shown.pixels)
    if shown.trouble:
        canvas.inside(x, y, across, down, shown.trouble)
    _draw_bar(canvas, shown, sheet.reduction, x, y + down + 0.07, across)
    image = panel.image if panel.image is not None else sheet.image
    if image is not None and sheet.overlay:
        canvas.show(x + across + _NEAR, y, across, down, overlay(image, shown.shares))


def _draw_bar(canvas: Canvas, shown: ShownMap, reduction: Reduction, x: float, y: float, width: float) -> None:
    """The colour bar with the value of full colour; none for a map of nothing."""
    if shown.full == 0:
        return
    signed = reduction is Reduction.SUM
    colors = diverging(np.linspace(-1 if signed else 0, 1, 129))
    axes = canvas.axes(x, y, width, 0.07, bare=True)
    axes.imshow(colors[None], aspect="auto", interpolation="bilinear")
    ends = (f"−{significant(shown.full)}", "0", significant(shown.full)) if signed else ("0", "", significant(shown.full))
    for text, share, side in zip(ends, (0.0, 0.5, 1.0), ("left", "center", "right"), strict=True):
        canvas.text(x + share * width, y + 0.1, text, 7, ha=side)


def _legend(sheet: Sheet, shown: list[ShownMap]) -> str:
    """What the colours mean."""
    channels = sheet.panels[0].values.shape[0]
    what = {
        Reduction.SUM: "the sum over channels" if channels > 1 else "the map",
        Reduction.ABSOLUTE_SUM: "the sum of absolute values over channels",
        Reduction.MEAN_ABSOLUTE: "the mean of absolute values over channels",
        Reduction.L2: "the Euclidean norm over channels",
    }[sheet.reduction]
    colors = "red is positive and blue negative" if sheet.reduction is Reduction.SUM else "the redder, the larger"
    shared = "all maps share one scale" if sheet.panels[0].full is not None else "each map has its own scale"
    over = sheet.overlay and (sheet.image is not None or sheet.panels[0].image is not None)
    parts = [
        f"Shown is {what}: {colors}. Full colour is the {PERCENTILE:g}th percentile of its size; "
        + (shared + "." if len(shown) > 1 else "it is stated under the map."),
        "Over the image, the larger, the more opaque." if over else "",
        f"{sheet.omitted} more not shown." if sheet.omitted else "",
    ]
    return " ".join(filter(None, parts))
