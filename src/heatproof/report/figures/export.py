"""Vega-Lite specifications are drawn as files, and as inline SVG that takes its colours from the page.

A chart is laid out once: the file and the page differ in colours, which are replaced in the SVG, and in the title of the file.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from heatproof.report.figures.scores import HOLLOW
from heatproof.report.figures.style import FONT, INK, LIGHT, config
from heatproof.store.atomic import write_atomically

# These colours occur nowhere else; those of the page or of the file replace them.
_INK, _FAINT, _RULE = "#010203", "#010204", "#010205"
_ON_PAGE = {_INK: "currentColor", _FAINT: "var(--faint)", _RULE: "var(--rule)", HOLLOW: "var(--page)"}
_ON_WHITE = {_INK: INK, _FAINT: LIGHT["axis"]["labelColor"], _RULE: LIGHT["axis"]["gridColor"]}
_OPACITY = re.compile("<path [^>]* opacity=[^>]*>")
_MARGIN, _HEADING = 12, 24
_LETTER = 0.62
"""The mean width of a bold letter as a share of the size of the font, rather too wide than too narrow."""
_LAST = "// the end"
"""The last line of the script, by which a file that was cut is recognised."""
_SET_EMBED = "window.vegaEmbed = vegaEmbed;"


def draw_chart(spec: Mapping[str, Any], folder: Path, name: str, title: str, label: str) -> str:
    """Draw a chart as files and for a page.

    Args:
        spec: the Vega-Lite specification, with a width in pixels.
        folder: the folder of the files <name>.svg, and <name>.png at twice the resolution; they have the title, on white.
        name: the name of the files, and the prefix of the ids in the SVG.
        title: the title of the files.
        label: the text alternative of the chart on the page.

    Returns:
        The chart as an SVG element that fills its column, in the colours of the page.
    """
    import vl_convert
    from markupsafe import escape

    drawn = _with_own_ids(vl_convert.vegalite_to_svg({**spec, "config": dict(config(_INK, _FAINT, _RULE))}), name)
    width, height = (float(each) for each in re.findall(r'\b(?:width|height)="([\d.]+)"', drawn)[:2])
    svg = _titled(_colored(drawn, _ON_WHITE), width, height, title)
    write_atomically(folder / f"{name}.svg", svg.encode())
    write_atomically(folder / f"{name}.png", bytes(vl_convert.svg_to_png(_OPACITY.sub(_of_its_paint, svg), scale=2)))
    size = f'style="width:100%;max-width:{width:g}px;height:auto"'
    head = rf'<svg \1 {size} role="img" aria-label="{escape(label)}">'
    return re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", head, _colored(drawn, _ON_PAGE), count=1)


def _of_its_paint(path: re.Match[str]) -> str:
    """A path whose opacity is that of its fill or of its stroke: the same picture where it has only one, and drawn much faster."""
    fill, stroke = ("fill=" in path[0], "stroke=" in path[0])
    return path[0] if fill == stroke else path[0].replace(" opacity=", " fill-opacity=" if fill else " stroke-opacity=")


def _colored(svg: str, colors: Mapping[str, str]) -> str:
    for marker, color in colors.items():
        svg = svg.replace(marker, color)
    return svg


def _titled(svg: str, width: float, height: float, title: str) -> str:
    """The drawing on white, within a margin and under a title."""
    from markupsafe import escape

    across, down = max(width, _LETTER * 13 * len(title)) + 2 * _MARGIN, height + _HEADING + 2 * _MARGIN
    inner = svg.replace("<svg ", f'<svg x="{_MARGIN}" y="{_MARGIN + _HEADING}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}" height="{down:g}" viewBox="0 0 {across:g} {down:g}">'
        f'<rect width="{across:g}" height="{down:g}" fill="white"/>'
        f'<text x="{_MARGIN}" y="{_MARGIN + 12}" font-family="{FONT}" font-size="13" font-weight="bold" fill="{INK}">'
        f"{escape(title)}</text>{inner}</svg>"
    )


@cache
def script_bundle() -> str:
    """The libraries Vega, Vega-Lite and vega-embed as one script that sets `window.vegaEmbed`, safe inside a script element.

    Making it takes a second, so it is kept in the user's cache folder, for each version of the package that it comes from.
    """
    from importlib.metadata import version

    from platformdirs import user_cache_path

    file = user_cache_path("heatproof") / "scripts" / f"vega-embed-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        kept = file.read_text(encoding="utf-8")
        if kept.rstrip().endswith(_LAST):
            return kept
    made = _bundle()
    with suppress(OSError):  # without a writable cache it is made again the next time
        write_atomically(file, made.encode())
    return made


def _bundle() -> str:
    import vl_convert

    script = str(vl_convert.javascript_bundle(_SET_EMBED)).replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"{script}\n{_LAST}"


def _with_own_ids(svg: str, name: str) -> str:
    """The SVG with its clip ids renumbered from 1 and prefixed by `name`, so that they are unique on a page and reproducible."""
    ids = list(dict.fromkeys(re.findall(r'id="(clip\d+)"', svg)))
    numbers = {old: f"{name}-clip-{index}" for index, old in enumerate(ids, start=1)}
    return re.sub(r"\bclip\d+\b", lambda match: numbers.get(match[0], match[0]), svg)
