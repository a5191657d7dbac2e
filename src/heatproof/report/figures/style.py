"""The colours and dashes that identify a method on the whole page, and the common configuration of all charts.

Each method has a hue, and a new dash pattern once all hues are used. Controls are grey and always dashed, so that colour alone
never distinguishes them. The hues have a medium lightness: their contrast is 3 : 1 on a white page and on a near-black page.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heatproof.store.manifest import MethodEntry

HUES = ("#3b7dc4", "#cf5f22", "#2a9a68", "#8e6bc8", "#b8860b", "#c8508a", "#1f98ab", "#96694c")
GREY = "#868686"
METHOD_DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3))
CONTROL_DASHES = ((1, 3), (5, 3), (9, 4), (9, 3, 2, 3))

INK = "#1c1b1a"
FAINT = "#8b8781"
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True)
class LineStyle:
    """The colour and the dash pattern of a method's line."""

    color: str
    dash: tuple[int, ...]


def line_styles(methods: Sequence[MethodEntry]) -> dict[str, LineStyle]:
    """The style of each method by its label, which is the same in every figure of the page."""
    plain = [method.label for method in methods if not method.control]
    controls = [method.label for method in methods if method.control]
    styles = {
        label: LineStyle(HUES[i % len(HUES)], METHOD_DASHES[i // len(HUES) % len(METHOD_DASHES)]) for i, label in enumerate(plain)
    }
    return styles | {label: LineStyle(GREY, CONTROL_DASHES[i % len(CONTROL_DASHES)]) for i, label in enumerate(controls)}


def config(ink: str, faint: str, rule: str) -> Mapping[str, Any]:
    """The Vega-Lite configuration: no frame, faint axes, no background. The page's script builds the same from its own colours."""
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "domainColor": rule,
            "tickColor": rule,
            "gridColor": rule,
            "gridOpacity": 0.5,
            "gridWidth": 0.5,
            "labelColor": faint,
            "titleColor": ink,
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
            "titlePadding": 8,
            "tickSize": 4,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelFontSize": 11,
            "labelLimit": 260,
            "symbolStrokeWidth": 2,
            "symbolSize": 260,
        },
    }


def plain(value: float) -> float | None:
    """The value rounded to six digits, which suffice for a figure; None if it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


LIGHT = config(INK, "#5d5a55", "#c9c5bd")
