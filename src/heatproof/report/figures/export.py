"""Vega-Lite specifications → files, and → inline SVG that takes its ink from the page."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from heatproof.report.figures.scores import HOLLOW
from heatproof.report.figures.style import LIGHT, config
from heatproof.store.atomic import write_atomically

# Colours that occur nowhere else, to be replaced by the page's own.
_INK, _FAINT, _RULE = "#010203", "#010204", "#010205"


def write_figure(spec: Mapping[str, Any], folder: Path, name: str, title: str) -> None:
    """Write <name>.svg and <name>.png (twice the pixels) into the folder, on white, under a title."""
    import vl_convert

    heading = {"text": title, "anchor": "start", "fontSize": 13, "offset": 14}
    full = {**spec, "title": heading, "config": {**LIGHT, "background": "white", "padding": 12}}
    write_atomically(folder / f"{name}.svg", _with_own_ids(vl_convert.vegalite_to_svg(full), name).encode())
    write_atomically(folder / f"{name}.png", bytes(vl_convert.vegalite_to_png(full, scale=2)))


def inline_svg(spec: Mapping[str, Any], name: str, label: str) -> str:
    """An SVG element for the page, scaled to its column, text and rules in the page's colours; `label` is its text alternative."""
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
    """Vega, Vega-Lite and vega-embed as one script that sets `window.vegaEmbed`, safe inside a script element."""
    import vl_convert

    return (
        str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


def _with_own_ids(svg: str, name: str) -> str:
    """Clip ids counted from 1 and prefixed, so that drawings on one page do not clash and the same run gives the same file."""
    ids = list(dict.fromkeys(re.findall(r'id="(clip\d+)"', svg)))
    numbers = {old: f"{name}-clip-{index}" for index, old in enumerate(ids, start=1)}
    return re.sub(r"\bclip\d+\b", lambda match: numbers.get(match[0], match[0]), svg)
