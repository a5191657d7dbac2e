"""A sheet of maps becomes a picture, drawn as what the maps explain: a table, a signal, an image or a volume."""

from dataclasses import replace

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.formatting import comma_list
from heatproof.pictures.colors import full_color
from heatproof.pictures.picture import Picture
from heatproof.pictures.sheet import Panel, Sheet
from heatproof.pictures.signed_map import FLOAT32, signed_map

MOST_SLICES = 6


def draw(sheet: Sheet) -> Picture:
    """Draw the maps of a sheet: over their drawings where the panels have any, else as bars of a table `[f]`, areas of a signal
    `[c, t]`, an image `[c, h, w]` or slices of a volume `[c, d, h, w]`.

    Raises:
        TensorError: The maps have another shape.
    """
    from heatproof.pictures.drawings import draw_drawings
    from heatproof.pictures.images import draw_images
    from heatproof.pictures.signals import draw_signals
    from heatproof.pictures.tables import draw_tables

    titles = comma_list([panel.title for panel in sheet.panels], 6)
    alt = ". ".join(filter(None, (sheet.title, sheet.subtitle, titles)))
    if sheet.panels[0].drawing is not None:
        return Picture(draw_drawings(sheet), alt)
    drawers = {1: draw_tables, 2: draw_signals, 3: draw_images, 4: draw_images}
    axes = sheet.panels[0].values.ndim
    if axes not in drawers:
        shape = list(sheet.panels[0].values.shape)
        raise TensorError(
            f"picture: expected maps of a table [f], a signal [c, t], an image [c, h, w] or a volume [c, d, h, w], got {shape}; "
            "draw a part of the values"
        )
    drawn = _slices(sheet) if axes == 4 else sheet
    canvas = drawers[axes](drawn)
    canvas.note_missing_letters()
    return Picture(canvas.figure, alt)


def _slices(sheet: Sheet) -> Sheet:
    """The sheet of slices along the first axis of space, evenly spaced, on one scale for each volume."""
    panels = [part for panel in sheet.panels for part in _slices_of(panel)]
    return replace(sheet, panels=tuple(panels), plain=False)


def _slices_of(panel: Panel) -> list[Panel]:
    depth = panel.values.shape[1]
    at = np.linspace(0, depth - 1, MOST_SLICES + 2)[1:-1].round() if depth > MOST_SLICES else np.arange(depth)
    full = full_color(signed_map(panel.values, FLOAT32, panel.score))
    return [
        replace(
            panel,
            values=panel.values[:, k],
            title=f"{panel.title} · slice {k} of {depth}",
            note=panel.note if number == 0 else "",
            image=None if panel.image is None else panel.image[k],
            full=full,
        )
        for number, k in enumerate(at.astype(int))
    ]
