"""A picture of one image and its maps side by side; red is positive, blue negative and white zero, on each map's own scale."""

import io
import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.formatting import significant
from heatproof.report.figures.gallery import full_color
from heatproof.report.figures.signed_map import FLOAT32, signed_map
from heatproof.store.atomic import write_atomically

COLUMNS = 5
BAR: dict[str, Any] = {"orientation": "horizontal", "fraction": 0.04, "pad": 0.02}


def draw_explanation(
    image: "np.ndarray[Any, Any]", maps: "Mapping[str, np.ndarray[Any, Any]]", title: str, path: Path, score: float = math.nan
) -> Path:
    """Write a PNG that shows an image and the channel sum of each of its maps.

    Full colour is the 99.5th percentile of the absolute channel sum; the scale below each map states its value.

    Args:
        image: the image, uint8 [h, w] or [h, w, 3].
        maps: the maps [c, h, w] by label.
        title: the title of the picture.
        path: the file to write.
        score: the explained score of the image, beside which a map may be nothing but rounding; NaN if it is not known.

    Returns:
        `path`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(maps) + 1)
    rows = -(-(len(maps) + 1) // columns)
    figure = Figure(figsize=(2.6 * columns, 3.0 * rows + 0.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    axes[0].imshow(image, cmap="gray" if image.ndim == 2 else None)
    axes[0].set_title("image", fontsize=8, loc="left")
    figure.colorbar(axes[0].images[0], ax=axes[0], **BAR).ax.set_visible(False)  # aligns the image with its maps
    for axis, (label, values) in zip(axes[1:], maps.items(), strict=False):
        signed = signed_map(values, FLOAT32, score)
        full = full_color(signed)
        shown = axis.imshow(signed, cmap="RdBu_r", vmin=-(full or 1), vmax=full or 1, interpolation="nearest")
        axis.set_title("\n".join(textwrap.wrap(label, 36)), fontsize=8, loc="left")
        bar = figure.colorbar(shown, ax=axis, ticks=[-full, 0, full] if full else [0], **BAR)
        bar.ax.set_xticklabels([f"−{significant(full)}", "0", significant(full)] if full else ["0"], fontsize=6)
        bar.outline.set_visible(False)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    write_atomically(path, buffer.getvalue())
    return path
