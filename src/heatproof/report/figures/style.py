"""Colours and dashes by which a method is known on the whole page, and what every chart has in common.

Methods take a hue and, after a round of hues, another dash; controls are grey and always dashed, so that colour is never the only
sign. The hues have middling lightness: they keep a contrast of 3 : 1 with a white and with a near-black page.
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
    """How a method is drawn."""

    color: str
    dash: tuple[int, ...]


def line_styles(methods: Sequence[MethodEntry]) -> dict[str, LineStyle]:
    """A style per label, the same on every figure of the page."""
    plain = [method.label for method in methods if not method.control]
    controls = [method.label for method in methods if method.control]
    styles = {
        label: LineStyle(HUES[i % len(HUES)], METHOD_DASHES[i // len(HUES) % len(METHOD_DASHES)]) for i, label in enumerate(plain)
    }
    return styles | {label: LineStyle(GREY, CONTROL_DASHES[i % len(CONTROL_DASHES)]) for i, label in enumerate(controls)}


def config(ink: str, faint: str, rule: str) -> Mapping[str, Any]:
    """Vega-Lite configuration: no frame, quiet axes, no background. The page's script makes the same from its own colours."""
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
    """Six digits are plenty for a figure; NaN is null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


LIGHT = config(INK, "#5d5a55", "#c9c5bd")
