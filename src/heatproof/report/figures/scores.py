"""The scores of one metric: the mean and interval of each method, the images as faint ticks, and chance as a dashed line.

The marks are those of the tables: a filled disc is the best method, an open disc a method that cannot be distinguished from it. A
bar is a method that is worse, or that too few images could compare, and a diamond a control. The best method is at the top.

A method has at most `MOST_TICKS` ticks. Of more images, those at evenly spaced ranks are drawn, from the lowest to the highest
score, so that the ticks lie as densely as the scores do.
"""

from typing import Any

import numpy as np

from heatproof.core.formatting import decimals_for, interval, number, sentence_case
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, ComparisonVerdict, MethodStatistics
from heatproof.report.figures.style import FAINT, GREY, HUES, plain
from heatproof.report.figures.thinning import drawn, evenly
from heatproof.report.figures.vega_lite import Spec, category, choice, layer, layered, quantity
from heatproof.report.score_matrix import Floats

MOST_TICKS = 100
HOLLOW = "#fefefe"
"""The colour inside an open mark, which the page replaces by its own background."""
_BAR = "M0,-1.1L0,1.1"
_TICK = {"thickness": 1, "height": 9, "opacity": 0.4, "color": FAINT}
_CUT = r"indexof(datum.label, ' (') > 0 ? replace(datum.label, ' (', '\n(') : replace(datum.label, ', ', ',\n')"
_LONG = "length(datum.label) > 22 && (indexof(datum.label, ' (') > 0 || indexof(datum.label, ', ') > 0)"
_NAMES = {
    "labelExpr": rf"length(datum.label) > 22 ? split({_CUT}, '\n') : datum.label",
    "labelLimit": 230,
    "labelLineHeight": 12,
    "labelOffset": choice(_LONG, -6, 0),
    "labelPadding": 8,
    "ticks": False,
    "domain": False,
    "grid": True,
}
"""The axis of the methods: long labels are written in two lines."""
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


def score_chart(analysis: Analysis, *, legend: bool, width: int | str) -> Spec:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    metric = analysis.matrix.metric
    rows = [row for row in analysis.rows if row.n]
    rows.sort(key=lambda row: row.mean, reverse=metric.direction == Direction.HIGHER)
    arrow = "← better" if metric.direction == Direction.LOWER else "better →"
    title = f"{sentence_case(metric.label)}   {arrow}"
    y = category("method", sort=[row.method.label for row in rows], title=None, axis=_NAMES)

    def x(name: str) -> Spec:
        return quantity(name, title=title, scale={"zero": False}, axis={"grid": False, "tickCount": 6})

    seen = [category("image"), category("method"), quantity("value", format=".4~g")]
    layers = [layer("tick", _TICK, {"x": x("value"), "y": y, "tooltip": seen}, _images(analysis))]
    if analysis.chance is not None:
        chance = [{"value": plain(analysis.chance.mean)}]
        layers.append(layer("rule", {"strokeDash": [4, 4], "color": GREY}, {"x": x("value")}, chance))
    means = [_mean(row) for row in rows]
    shown = [kind for kind in MARKS if any(standing(row) == kind for row in rows)]
    shape, color, fill = (
        category(
            "kind",
            scale={"domain": shown, "range": [MARKS[kind][part] for kind in shown]},
            legend={"title": None, "orient": "bottom"} if legend else None,
        )
        for part in range(3)
    )
    ends = {"x": x("low"), "x2": {"field": "high"}, "y": y, "color": color}
    layers.append(layer("rule", {"strokeWidth": 2}, ends, means))
    texts = [category("method"), category("text", title="mean"), category("kind", title="standing")]
    at = {"x": x("mean"), "y": y, "color": color, "shape": shape, "fill": fill, "tooltip": texts}
    layers.append(layer("point", {"size": 75, "strokeWidth": 1.8, "opacity": 1}, at, means))
    return layered(width, max(90, 27 * len(rows)), layers)


def ticks_drawn(analysis: Analysis) -> str:
    """Which images have a tick, as a sentence; empty if all have."""
    most = max((row.n for row in analysis.rows), default=0)
    return drawn(most, MOST_TICKS, " for each method, at evenly spaced ranks from the lowest score to the highest")


def _images(analysis: Analysis) -> list[dict[str, Any]]:
    matrix = analysis.matrix
    return [
        {"method": method.label, "image": matrix.images[column].name, "value": plain(values[column])}
        for method, values in zip(matrix.methods, matrix.values, strict=True)
        for column in _shown(values)
    ]


def _shown(values: Floats) -> list[int]:
    """The columns of the images with a score that are drawn, in their order."""
    scored = np.flatnonzero(np.isfinite(values))
    if len(scored) > MOST_TICKS:
        scored = np.sort(scored[np.argsort(values[scored], kind="stable")[evenly(len(scored), MOST_TICKS)]])
    return [int(column) for column in scored]


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
