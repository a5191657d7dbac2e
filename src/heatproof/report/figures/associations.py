"""A scatter plot of one metric against another, with one dot per image and level, over the curve of a centred elliptical law.

    τ = (2/π) asin cos

On this curve lie the cosine and Kendall's τ of two maps if the pairs of their entries are drawn from such a law, normal or not
(Greiner).
"""

import numpy as np

from heatproof.report.associations import MeasuredAssociation
from heatproof.report.figures.style import GREY, plain
from heatproof.report.figures.thinning import drawn, evenly
from heatproof.report.figures.vega_lite import Spec, layer, layered, quantity

_CURVE_POINTS = 61
MOST_DOTS = 2_000


def dots_drawn(association: MeasuredAssociation, method: str) -> str:
    """Which images have dots, as a sentence; empty if all have."""
    images, levels = association.points[method][0].shape
    return drawn(images, MOST_DOTS // levels)


def association_chart(association: MeasuredAssociation, method: str, *, width: int | str) -> Spec:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    x, y = association.points[method]
    every = np.concatenate([part.ravel() for pair in association.points.values() for part in pair])
    lowest = min(0.0, float(np.nanmin(every)))
    first = float(np.floor(lowest * 5) / 5)
    bounds = {"domain": [first, 1], "nice": False}
    dots = [
        {"x": plain(x[i, j]), "y": plain(y[i, j]), "level": association.levels[j]}
        for i in evenly(len(x), MOST_DOTS // x.shape[1])
        for j in range(x.shape[1])
    ]
    steps = np.linspace(first, 1, _CURVE_POINTS)
    curve = [{"x": plain(at), "y": plain(2 / np.pi * np.arcsin(at))} for at in steps]
    across = quantity("x", title=association.x, scale=bounds)
    law = layer("line", {"color": GREY, "strokeDash": [4, 3], "strokeWidth": 1.2}, {"x": across, "y": quantity("y")}, curve)
    seen = {
        "x": across,
        "y": quantity("y", title=association.y, scale=bounds),
        "color": quantity("level", title=association.level, scale={"scheme": "viridis"}, legend={"orient": "bottom"}),
        "tooltip": [quantity(name, format=".3~g") for name in ("x", "y", "level")],
    }
    return layered(width, 240, [law, layer("circle", {"size": 14, "opacity": 0.75}, seen, dots)])
