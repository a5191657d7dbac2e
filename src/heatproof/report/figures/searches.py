"""The searches for σ: the objective against σ, with one line per image in the order of the search, and a disc at its optimum."""

import math

from heatproof.report.figures.style import FAINT, HUES, plain
from heatproof.report.figures.thinning import evenly
from heatproof.report.figures.vega_lite import Spec, category, layer, layered, quantity
from heatproof.report.searches import Search

MOST_LINES = 100


def search_chart(search: Search, *, width: int | str) -> Spec:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    traces = [search.traces[place] for place in evenly(len(search.traces), MOST_LINES)]
    steps = [
        {"image": trace.image, "step": step, "sigma": plain(sigma), "value": plain(value)}
        for trace in traces
        for step, (sigma, value) in enumerate(zip(trace.sigmas, trace.values, strict=True), start=1)
        if sigma > 0 and math.isfinite(value)
    ]
    ends = [
        {"image": trace.image, "sigma": plain(trace.sigma), "value": plain(trace.objective), "fresh": plain(trace.fresh)}
        for trace in traces
    ]
    x = quantity("sigma", title="σ, model space", scale={"type": "log", "nice": False}, axis={"grid": False, "format": "~r"})
    at = {"x": x, "y": quantity("value", title=search.objective, scale={"zero": False})}
    tip = [category("image"), quantity("sigma", title="σ", format=".3~g"), quantity("value", format=".4~g")]
    line = {**at, "detail": category("image"), "order": quantity("step")}
    fresh = quantity("fresh", title="with new random numbers", format=".4~g")
    layers = [
        layer("line", {"color": FAINT, "strokeWidth": 1, "opacity": 0.6}, line, steps),
        layer("circle", {"color": FAINT, "size": 16, "opacity": 0.8}, {**at, "tooltip": [*tip, quantity("step")]}, steps),
        layer("circle", {"color": HUES[0], "size": 70, "opacity": 1}, {**at, "tooltip": [*tip, fresh]}, ends),
    ]
    return layered(width, 260, layers)
