"""The curves behind a metric: their means over images with pointwise intervals, one line per method.

A few methods are highlighted at first (the best two and chance); the others are faint until the reader highlights them. The
parameter `chosen` of the specification holds the labels of the highlighted methods, and buttons on the page set it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heatproof.core.formatting import percent_level
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, level_of
from heatproof.report.figures.style import LineStyle, plain
from heatproof.report.figures.vega_lite import Spec, category, choice, layer, layered, quantity

_HIGHLIGHTED = "indexof(chosen, datum.method) >= 0"
_ONLY_HIGHLIGHTED: Spec = {"transform": [{"filter": _HIGHLIGHTED}]}
_NEAREST = {"type": "point", "fields": ["x"], "nearest": True, "on": "pointerover", "clear": "pointerout"}


def initially_highlighted(analysis: Analysis) -> list[str]:
    """The labels of the two best methods and of chance."""
    sign = 1 if analysis.matrix.metric.direction == Direction.LOWER else -1
    scored = sorted((row for row in analysis.methods if row.n), key=lambda row: sign * row.mean)
    return [row.method.label for row in scored[:2]] + ([analysis.chance.method.label] if analysis.chance else [])


def curve_chart(
    analysis: Analysis, styles: Mapping[str, LineStyle], *, chosen: Sequence[str], legend: bool, width: int | str
) -> Spec:
    """The Vega-Lite specification of the curves of a metric; `width` is in pixels, or "container" for the width of the page."""
    x_title, y_title = analysis.matrix.metric.curve_axes
    labels = [method.label for method in analysis.matrix.methods]
    key = {"title": None, "orient": "right"} if legend else None
    hues = {"domain": labels, "range": [styles[label].color for label in labels]}
    dashes = {"domain": labels, "range": [list(styles[label].dash) for label in labels]}
    unlisted = category("method", scale=hues, legend=None)
    x = quantity("x", title=x_title, scale={"nice": False, "zero": False}, axis=_axis(analysis))
    ends = {"y": quantity("low", title=y_title, scale={"zero": False}), "y2": {"field": "high"}}
    drawn = {
        "x": x,
        "y": quantity("mean", title=y_title),
        "color": category("method", scale=hues, legend=key),
        "strokeDash": category("method", scale=dashes, legend=key),
        "strokeWidth": choice(_HIGHLIGHTED, 2.2, 1),
        "opacity": choice(_HIGHLIGHTED, 1, 0.35),
    }
    dots = {
        "x": x,
        "y": quantity("mean"),
        "color": unlisted,
        "opacity": choice({"param": "hover", "empty": False}, 1, 0),
        "tooltip": [
            category("method", title="method"),
            quantity("x", title=x_title),
            quantity("mean", title="mean", format=".4~g"),
            quantity("low", title=f"{percent_level(level_of(analysis.looks))} from", format=".4~g"),
            quantity("high", title="to", format=".4~g"),
        ],
    }
    layers = [
        {**layer("area", {"opacity": 0.16}, {"x": x, **ends, "color": unlisted}), **_ONLY_HIGHLIGHTED},
        layer("line", {}, drawn),
        {**layer("circle", {"size": 36}, dots), **_ONLY_HIGHLIGHTED, "params": [{"name": "hover", "select": _NEAREST}]},
    ]
    chart = layered(width, 320, layers, _points(analysis))
    apart = {"legend": {"color": "independent", "strokeDash": "independent"}}
    return {**chart, "params": [{"name": "chosen", "value": [*chosen]}], "resolve": apart}


def _axis(analysis: Analysis) -> Spec:
    """The x axis: whole numbers if the curve counts steps, or one tick for each level."""
    levels = list(analysis.matrix.metric.curve_x)
    return {"grid": False, "values": levels, "format": "~r"} if levels else {"grid": False, "tickMinStep": 1}


def _points(analysis: Analysis) -> list[dict[str, Any]]:
    if analysis.bands is None:
        return []
    means, lows, highs = analysis.bands
    places = analysis.matrix.metric.curve_x
    xs = places if len(places) == means.shape[1] else tuple(float(index) for index in range(means.shape[1]))
    return [
        {"method": method.label, "x": x, "mean": plain(mean), "low": plain(low), "high": plain(high)}
        for method, *rows in zip(analysis.matrix.methods, means, lows, highs, strict=True)
        for x, mean, low, high in zip(xs, *rows, strict=True)
        if np.isfinite(mean)
    ]
