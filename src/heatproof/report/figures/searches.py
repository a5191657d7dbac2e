"""The searches for σ: the objective against σ, with one line per image in the order of the search, and a disc at its optimum."""

import math
from typing import Any

from heatproof.report.figures.style import FAINT, HUES, plain
from heatproof.report.searches import Search


def search_chart(search: Search, *, width: int | str) -> dict[str, Any]:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    import altair as alt

    steps = [
        {"image": trace.image, "step": step, "sigma": plain(sigma), "value": plain(value)}
        for trace in search.traces
        for step, (sigma, value) in enumerate(zip(trace.sigmas, trace.values, strict=True), start=1)
        if sigma > 0 and math.isfinite(value)
    ]
    ends = [
        {"image": trace.image, "sigma": plain(trace.sigma), "value": plain(trace.objective), "fresh": plain(trace.fresh)}
        for trace in search.traces
    ]
    x = alt.X("sigma:Q", title="σ, model space", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(grid=False, format="~r"))
    y = alt.Y("value:Q", title=search.objective, scale=alt.Scale(zero=False))
    tip = [alt.Tooltip("image:N"), alt.Tooltip("sigma:Q", title="σ", format=".3~g"), alt.Tooltip("value:Q", format=".4~g")]
    tried = alt.Chart({"values": steps})
    lines = tried.mark_line(color=FAINT, strokeWidth=1, opacity=0.6).encode(x, y, alt.Detail("image:N"), alt.Order("step:Q"))
    dots = tried.mark_circle(color=FAINT, size=16, opacity=0.8).encode(x, y, tooltip=[*tip, alt.Tooltip("step:Q")])
    fresh = alt.Tooltip("fresh:Q", title="with new random numbers", format=".4~g")
    best = alt.Chart({"values": ends}).mark_circle(color=HUES[0], size=70, opacity=1).encode(x, y, tooltip=[*tip, fresh])
    return dict(alt.layer(lines, dots, best).properties(width=width, height=260).to_dict())
