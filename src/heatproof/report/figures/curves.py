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

_HIGHLIGHTED = "indexof(chosen, datum.method) >= 0"


def initially_highlighted(analysis: Analysis) -> list[str]:
    """The labels of the two best methods and of chance."""
    sign = 1 if analysis.matrix.metric.direction == Direction.LOWER else -1
    scored = sorted((row for row in analysis.methods if row.n), key=lambda row: sign * row.mean)
    return [row.method.label for row in scored[:2]] + ([analysis.chance.method.label] if analysis.chance else [])


def _axis(analysis: Analysis) -> Any:
    """The x axis: whole numbers if the curve counts steps, or one tick for each level."""
    import altair as alt

    levels = list(analysis.matrix.metric.curve_x)
    return alt.Axis(grid=False, values=levels, format="~r") if levels else alt.Axis(grid=False, tickMinStep=1)


def curve_chart(
    analysis: Analysis, styles: Mapping[str, LineStyle], *, chosen: Sequence[str], legend: bool, width: int | str
) -> dict[str, Any]:
    """The Vega-Lite specification of the curves of a metric; `width` is in pixels, or "container" for the width of the page."""
    import altair as alt

    x_title, y_title = analysis.matrix.metric.curve_axes
    labels = [method.label for method in analysis.matrix.methods]
    every_color = alt.Scale(domain=labels, range=[styles[label].color for label in labels])
    every_dash = alt.Scale(domain=labels, range=[list(styles[label].dash) for label in labels])
    key = alt.Legend(title=None, orient="right") if legend else None

    base = alt.Chart({"values": _points(analysis)})
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(nice=False, zero=False), axis=_axis(analysis))
    color = alt.Color("method:N", scale=every_color, legend=key)
    unlisted = alt.Color("method:N", scale=every_color, legend=None)
    hover = alt.selection_point(name="hover", fields=["x"], nearest=True, on="pointerover", clear="pointerout", empty=False)
    band = (
        base.transform_filter(_HIGHLIGHTED)
        .mark_area(opacity=0.16, clip=True)
        .encode(x, alt.Y("low:Q", title=y_title, scale=alt.Scale(zero=False)), alt.Y2("high:Q"), unlisted)
    )
    lines = base.mark_line(interpolate="linear", clip=True).encode(
        x,
        alt.Y("mean:Q", title=y_title),
        color,
        alt.StrokeDash("method:N", scale=every_dash, legend=key),
        strokeWidth=alt.condition(_HIGHLIGHTED, alt.value(2.2), alt.value(1)),
        opacity=alt.condition(_HIGHLIGHTED, alt.value(1), alt.value(0.35)),
    )
    dots = (
        base.transform_filter(_HIGHLIGHTED)
        .mark_circle(size=36)
        .encode(
            x,
            alt.Y("mean:Q"),
            unlisted,
            opacity=alt.condition(hover, alt.value(1), alt.value(0)),
            tooltip=[
                alt.Tooltip("method:N", title="method"),
                alt.Tooltip("x:Q", title=x_title),
                alt.Tooltip("mean:Q", title="mean", format=".4~g"),
                alt.Tooltip("low:Q", title=f"{percent_level(level_of(analysis.looks))} from", format=".4~g"),
                alt.Tooltip("high:Q", title="to", format=".4~g"),
            ],
        )
        .add_params(hover)
    )
    highlighted = alt.param(name="chosen", value=list(chosen))
    chart = (
        alt.layer(band, lines, dots)
        .add_params(highlighted)
        .resolve_legend(color="independent", strokeDash="independent")
        .properties(width=width, height=320)
    )
    return dict(chart.to_dict())


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
