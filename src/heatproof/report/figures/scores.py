"""The scores of one metric: the mean and interval of each method, the images as faint ticks, and chance as a dashed line.

The marks are those of the tables: a filled disc is the best method, an open disc a method that cannot be distinguished from it. A
bar is a method that is worse, or that too few images could compare, and a diamond a control. The best method is at the top.
"""

from typing import Any

import numpy as np

from heatproof.core.formatting import decimals_for, interval, number, sentence_case
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, ComparisonVerdict, MethodStatistics
from heatproof.report.figures.style import FAINT, GREY, HUES, plain

HOLLOW = "#fefefe"
"""The colour inside an open mark, which the page replaces by its own background."""
_BAR = "M0,-1.1L0,1.1"
# standing: shape, stroke, fill
MARKS = {
    "best": ("circle", HUES[0], HUES[0]),
    "tied with the best": ("circle", HUES[0], HOLLOW),
    "worse than the best": (_BAR, HUES[0], HUES[0]),
    "not compared": (_BAR, HUES[0], HUES[0]),
    "control": ("diamond", GREY, HOLLOW),
}


def standing(row: MethodStatistics) -> str:
    """The standing of a method beside the best one, a key of `MARKS`."""
    if row.method.control:
        return "control"
    if row.equals_best:
        return "best"
    compared = row.against_best is not None and row.against_best.verdict != ComparisonVerdict.UNKNOWN
    return ("tied with the best" if row.leads else "worse than the best") if compared else "not compared"


def score_chart(analysis: Analysis, *, legend: bool, width: int | str) -> dict[str, Any]:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    import altair as alt

    metric = analysis.matrix.metric
    rows = [row for row in analysis.rows if row.n]
    rows.sort(key=lambda row: row.mean, reverse=metric.direction == Direction.HIGHER)
    order = [row.method.label for row in rows]
    arrow = "← better" if metric.direction == Direction.LOWER else "better →"
    cuts = r"indexof(datum.label, ' (') > 0 ? replace(datum.label, ' (', '\n(') : replace(datum.label, ', ', ',\n')"
    in_two = rf"length(datum.label) > 22 ? split({cuts}, '\n') : datum.label"
    long = "length(datum.label) > 22 && (indexof(datum.label, ' (') > 0 || indexof(datum.label, ', ') > 0)"
    lift = alt.condition(long, alt.value(-6), alt.value(0))
    names = alt.Axis(
        labelExpr=in_two, labelLimit=230, labelLineHeight=12, labelOffset=lift, ticks=False, domain=False, labelPadding=8, grid=True
    )
    y = alt.Y("method:N", sort=order, title=None, axis=names)
    x_axis = alt.Axis(grid=False, tickCount=6)

    def x(name: str) -> Any:
        return alt.X(f"{name}:Q", title=f"{sentence_case(metric.label)}   {arrow}", scale=alt.Scale(zero=False), axis=x_axis)

    images = alt.Chart({"values": _images(analysis)}).mark_tick(thickness=1, height=9, opacity=0.4, color=FAINT)
    layers = [
        images.encode(
            x("value"), y, tooltip=[alt.Tooltip("image:N"), alt.Tooltip("method:N"), alt.Tooltip("value:Q", format=".4~g")]
        )
    ]
    if analysis.chance is not None:
        chance = alt.Chart({"values": [{"value": plain(analysis.chance.mean)}]})
        layers.append(chance.mark_rule(strokeDash=[4, 4], color=GREY).encode(x("value")))
    means = alt.Chart({"values": [_mean(row) for row in rows]})
    shown = [kind for kind in MARKS if any(standing(row) == kind for row in rows)]
    shapes, strokes, fills = (alt.Scale(domain=shown, range=[MARKS[kind][part] for kind in shown]) for part in range(3))
    key = alt.Legend(title=None, orient="bottom") if legend else None
    color = alt.Color("kind:N", scale=strokes, legend=key)
    layers.append(means.mark_rule(strokeWidth=2).encode(x("low"), alt.X2("high:Q"), y, color))
    marks = means.mark_point(size=75, strokeWidth=1.8, opacity=1).encode(
        x("mean"),
        y,
        color,
        shape=alt.Shape("kind:N", scale=shapes, legend=key),
        fill=alt.Fill("kind:N", scale=fills, legend=key),
        tooltip=[alt.Tooltip("method:N"), alt.Tooltip("text:N", title="mean"), alt.Tooltip("kind:N", title="standing")],
    )
    return dict(alt.layer(*layers, marks).properties(width=width, height=max(90, 27 * len(rows))).to_dict())


def _images(analysis: Analysis) -> list[dict[str, Any]]:
    matrix = analysis.matrix
    return [
        {"method": method.label, "image": image.name, "value": plain(value)}
        for method, values in zip(matrix.methods, matrix.values, strict=True)
        for image, value in zip(matrix.images, values, strict=True)
        if np.isfinite(value)
    ]


def _mean(row: MethodStatistics) -> dict[str, Any]:
    decimals = decimals_for((row.high - row.low) / 2)
    text = f"{number(row.mean, decimals)} {interval(row.low, row.high, decimals)}"
    low, high = (row.low, row.high) if row.n >= 2 else (row.mean, row.mean)
    return {
        "method": row.method.label,
        "mean": plain(row.mean),
        "low": plain(low),
        "high": plain(high),
        "text": text,
        "kind": standing(row),
    }
