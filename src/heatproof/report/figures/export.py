"""Vega-Lite specifications are rendered as files, and as inline SVG that takes its colours from the page."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from heatproof.report.figures.scores import HOLLOW
from heatproof.report.figures.style import LIGHT, config
from heatproof.store.atomic import write_atomically

# These colours occur nowhere else; the page's own colours replace them.
_INK, _FAINT, _RULE = "#010203", "#010204", "#010205"


def write_figure(spec: Mapping[str, Any], folder: Path, name: str, title: str) -> None:
    """Write a chart with a title on white as <name>.svg, and as <name>.png at twice the resolution, into a folder."""
    import vl_convert

    heading = {"text": title, "anchor": "start", "fontSize": 13, "offset": 14}
    full = {**spec, "title": heading, "config": {**LIGHT, "background": "white", "padding": 12}}
    svg = _with_own_ids(vl_convert.vegalite_to_svg(full), name)
    write_atomically(folder / f"{name}.svg", svg.encode())
    write_atomically(folder / f"{name}.png", bytes(vl_convert.svg_to_png(svg, scale=2)))


def inline_svg(spec: Mapping[str, Any], name: str, label: str) -> str:
    """The chart as an SVG element that fills its column, in the colours of the page; `label` is its text alternative."""
    import vl_convert
    from markupsafe import escape

    svg = _with_own_ids(vl_convert.vegalite_to_svg({**spec, "config": dict(config(_INK, _FAINT, _RULE))}), name)
    for color, variable in ((_INK, "currentColor"), (_FAINT, "var(--faint)"), (_RULE, "var(--rule)"), (HOLLOW, "var(--page)")):
        svg = svg.replace(color, variable)
    width, height = re.search(r'width="([\d.]+)"', svg), re.search(r'height="([\d.]+)"', svg)
    size = f'style="width:100%;max-width:{width[1]}px;height:auto"' if width and height else ""
    return re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 {size} role="img" aria-label="{escape(label)}">', svg, count=1
    )


@cache
def script_bundle() -> str:
    """The libraries Vega, Vega-Lite and vega-embed as one script that sets `window.vegaEmbed`, safe inside a script element."""
    import vl_convert

    return (
        str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


def _with_own_ids(svg: str, name: str) -> str:
    """The SVG with its clip ids renumbered from 1 and prefixed by `name`, so that they are unique on a page and reproducible."""
    ids = list(dict.fromkeys(re.findall(r'id="(clip\d+)"', svg)))
    numbers = {old: f"{name}-clip-{index}" for index, old in enumerate(ids, start=1)}
    return re.sub(r"\bclip\d+\b", lambda match: numbers.get(match[0], match[0]), svg)
