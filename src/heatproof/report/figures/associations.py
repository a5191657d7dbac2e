"""A scatter plot of one metric against another, with one dot per image and level, over the curve of a centred elliptical law.

    τ = (2/π) asin cos

On this curve lie the cosine and Kendall's τ of two maps if the pairs of their entries are drawn from such a law, normal or not
(Greiner).
"""

from typing import Any

import numpy as np

from heatproof.report.associations import MeasuredAssociation
from heatproof.report.figures.style import GREY, plain

_CURVE_POINTS = 61


def association_chart(association: MeasuredAssociation, method: str, *, width: int | str) -> dict[str, Any]:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    import altair as alt

    x, y = association.points[method]
    every = np.concatenate([part.ravel() for pair in association.points.values() for part in pair])
    lowest = min(0.0, float(np.nanmin(every)))
    bounds = alt.Scale(domain=[np.floor(lowest * 5) / 5, 1], nice=False)
    dots = [
        {"x": plain(x[i, j]), "y": plain(y[i, j]), "level": association.levels[j]} for i in range(len(x)) for j in range(x.shape[1])
    ]
    steps = np.linspace(np.floor(lowest * 5) / 5, 1, _CURVE_POINTS)
    curve = [{"x": plain(at), "y": plain(2 / np.pi * np.arcsin(at))} for at in steps]
    across = alt.X("x:Q", title=association.x, scale=bounds)
    law = alt.Chart({"values": curve}).mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1.2).encode(across, alt.Y("y:Q"))
    color = alt.Color("level:Q", title=association.level, scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="bottom"))
    cloud = (
        alt.Chart({"values": dots})
        .mark_circle(size=14, opacity=0.75)
        .encode(
            across,
            alt.Y("y:Q", title=association.y, scale=bounds),
            color,
            tooltip=[alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("x", "y", "level")],
        )
    )
    return dict(alt.layer(law, cloud).properties(width=width, height=240).to_dict())
