"""A chart of scores against one setting of a method: mean and interval over images, one line for each value of other settings.

A line needs at least two points, and chance is a dashed line. The axis of the setting is logarithmic if its largest value is at
least twenty times its smallest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heatproof.core.formatting import sentence_case
from heatproof.report.analysis import Analysis, MethodStatistics
from heatproof.report.figures.style import GREY, HUES, METHOD_DASHES, plain
from heatproof.report.figures.vega_lite import Spec, category, layer, layered, quantity
from heatproof.report.table_cells import arrow
from heatproof.store.published import SweepEntry

_WIDE = 20.0


def sweep_lines(sweep: SweepEntry, analysis: Analysis) -> dict[str, list[tuple[float, MethodStatistics]]]:
    """The points of each line by its name, each with a value of the setting and the statistics there, sorted by that value."""
    lines: dict[str, list[tuple[float, MethodStatistics]]] = {}
    order: dict[str, tuple[float, ...]] = {}
    for row in analysis.rows:
        settings = row.method.settings
        if not isinstance(settings, Mapping) or settings.get("name") != sweep.method or not row.n:
            continue
        at = _setting(settings, sweep.along)
        if isinstance(at, int | float):
            others = [(path, _setting(settings, path)) for path in sweep.by]
            name = ", ".join(_setting_label(path, value) for path, value in others)
            order[name] = tuple(float(value) if isinstance(value, int | float) else 0.0 for _, value in others)
            lines.setdefault(name, []).append((float(at), row))
    complete = {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items() if len(points) > 1}
    return {name: complete[name] for name in sorted(complete, key=lambda name: order[name])}


def sweep_chart(
    sweep: SweepEntry, lines: Mapping[str, Sequence[tuple[float, MethodStatistics]]], analysis: Analysis, *, width: int | str
) -> Spec:
    """The Vega-Lite specification of the chart; `width` is in pixels, or "container" for the width of the page."""
    metric, names = analysis.matrix.metric, list(lines)
    values = [at for points in lines.values() for at, _ in points]
    wide = min(values) > 0 and max(values) / min(values) >= _WIDE
    scale = {"type": "log", "nice": False} if wide else {"nice": False, "zero": False, "padding": 8}
    x = quantity("x", title=sweep.along, scale=scale, axis={"grid": False, "values": sorted(set(values)), "format": "~r"})
    y_title = f"{sentence_case(metric.label)} {arrow(metric.direction)[0]}"
    dashes = [list(METHOD_DASHES[i // len(HUES) % len(METHOD_DASHES)]) for i in range(len(names))]
    key = {"title": None, "orient": "bottom", "columns": 3, "symbolType": "stroke", "symbolOpacity": 1} if names != [""] else None
    hues = {"domain": names, "range": [HUES[i % len(HUES)] for i in range(len(names))]}
    color = category("line", scale=hues, legend=key)
    dash = category("line", scale={"domain": names, "range": dashes}, legend=key)
    numbers = [quantity(name, title=title, format=".4~g") for name, title in zip(_NUMBERS, _TITLES, strict=True)]
    points = [*_points(lines)]
    ends = {"y": quantity("low", title=y_title, scale={"zero": False}), "y2": {"field": "high"}}
    mean = quantity("mean", title=y_title)
    tips = [category("method", title="method"), *numbers]
    layers = [
        layer("area", {"opacity": 0.1}, {"x": x, **ends, "color": color}, points),
        layer("line", {"strokeWidth": 2}, {"x": x, "y": mean, "color": color, "strokeDash": dash}, points),
        layer("circle", {"size": 32, "opacity": 1}, {"x": x, "y": quantity("mean"), "color": color, "tooltip": tips}, points),
    ]
    if analysis.chance is not None:
        chance = [{"mean": plain(analysis.chance.mean)}]
        layers.append(layer("rule", {"strokeDash": [4, 4], "color": GREY}, {"y": quantity("mean")}, chance))
    return layered(width, 240, layers)


_NUMBERS, _TITLES = ("mean", "low", "high"), ("mean", "from", "to")


def _points(lines: Mapping[str, Sequence[tuple[float, MethodStatistics]]]) -> Iterator[dict[str, Any]]:
    for name, points in lines.items():
        for at, row in points:
            low, high = (row.low, row.high) if row.n > 1 else (row.mean, row.mean)
            yield {
                "line": name,
                "x": at,
                "method": row.method.label,
                "mean": plain(row.mean),
                "low": plain(low),
                "high": plain(high),
            }


def _setting(settings: Any, path: str) -> Any:
    """The setting at a path such as `noise.sigma`; None if there is none."""
    for part in path.split("."):
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings


def _setting_label(path: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name"))
    return f"{path.rpartition('.')[2]} {value:g}" if isinstance(value, int | float) else str(value)
