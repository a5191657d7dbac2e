"""A gallery as one figure: maps with labels and a colour bar, as SVG and as PNG.

Both place the same parts: the SVG holds the pictures as they are on the page, and the PNG enlarges them without smoothing.
"""

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.core.formatting import significant
from heatproof.report.figures.gallery import Gallery, color_bar
from heatproof.report.figures.style import FONT
from heatproof.store.atomic import write_atomically

_DPI = 160
_COLUMN, _ROW, _SIDE, _EDGE = 1.15, 1.3, 1.1, 0.75
"""A column, a row, a map, and the space above and below the rows, in inches."""
_SMALL, _NORMAL = 5.5, 7.0
_LETTERS = 26
"""The most letters of a caption under a picture."""
_INK, _GREY = "#000000", "#444444"
_FRAME = '<rect x="{:.3f}" y="{:.3f}" width="{}" height="{}" fill="none" stroke="#444444" stroke-width="0.006"/>'
_OWN_SCALE = "Each map has its own scale: the number beneath it is the value of full colour."


class _Text(NamedTuple):
    """A line whose baseline begins at a place in inches; the size is in points."""

    x: float
    y: float
    text: str
    size: float
    color: str = _INK


class _Picture(NamedTuple):
    """An encoded picture in a place in inches, of which it fills as much as its shape allows, or all of it, with a frame; and the
    same as SVG, if it is a drawing.
    """

    x: float
    y: float
    width: float
    height: float
    encoded: bytes
    kind: str
    framed: bool = False
    svg: str = ""


def write_gallery(gallery: Gallery, folder: Path, name: str) -> None:
    """Write the gallery as one figure with labels and a colour bar, <name>.png and <name>.svg."""
    width = _COLUMN * (len(gallery.heads) + 1) + 0.2
    height = _ROW * len(gallery.rows) + 2 * _EDGE
    parts = [*_parts(gallery, height)]
    write_atomically(folder / f"{name}.svg", _svg(parts, width, height).encode())
    write_atomically(folder / f"{name}.png", _png(parts, width, height))


def _parts(gallery: Gallery, height: float) -> Iterator[_Text | _Picture]:
    for column, head in enumerate(gallery.heads, start=1):
        lines = textwrap.wrap(head.label, 16)
        for above, line in enumerate(reversed(lines)):
            yield _Text(0.1 + _COLUMN * column, _EDGE - 0.07 - 0.12 * above, line, _NORMAL)
    for at, row in enumerate(gallery.rows):
        yield from _place(at, 0, row.thumbnail, "webp", row.name)
        for column, tile in enumerate(row.tiles, start=1):
            number = f"{gallery.style.sign} {significant(tile.full)}" if tile else "not stored"
            yield from _place(at, column, tile.png if tile else b"", "png", number, tile.svg if tile else "")
    low, high = gallery.style.ends
    yield _Picture(0.6, height - 0.46, 2.2, 0.1, color_bar(gallery.style), "png", framed=True)
    yield _Text(0.35, height - 0.22, low, _NORMAL)
    yield _Text(2.5, height - 0.22, high, _NORMAL)
    yield _Text(3.6, height - 0.38, _OWN_SCALE, _NORMAL)


def _place(row: int, column: int, encoded: bytes, kind: str, caption: str, svg: str = "") -> Iterator[_Text | _Picture]:
    """A picture and its caption."""
    left, upper = 0.1 + _COLUMN * column, _EDGE + _ROW * row
    if encoded:
        yield _Picture(left, upper, _SIDE, _SIDE, encoded, kind, svg=svg)
    shown = caption if len(caption) <= _LETTERS else f"{caption[: _LETTERS - 1]}…"
    yield _Text(left, upper + _SIDE + 0.11, shown, _SMALL, _GREY)


def _svg(parts: Sequence[_Text | _Picture], width: float, height: float) -> str:
    from markupsafe import escape

    drawn = [
        f'<text x="{part.x:.3f}" y="{part.y:.3f}" font-size="{part.size / 72:.4f}" fill="{part.color}">{escape(part.text)}</text>'
        if isinstance(part, _Text)
        else f'<image x="{part.x:.3f}" y="{part.y:.3f}" width="{part.width}" height="{part.height}" preserveAspectRatio="'
        f'{"none" if part.framed else "xMinYMin"}" style="image-rendering:pixelated" '
        f'href="{_embedded(part)}"/>' + (_FRAME.format(*part) if part.framed else "")
        for part in parts
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.3f}in" height="{height:.3f}in" '
        f'viewBox="0 0 {width:.3f} {height:.3f}" font-family="{FONT}"><rect width="100%" height="100%" fill="white"/>'
        + "".join(drawn)
        + "</svg>\n"
    )


def _embedded(part: _Picture) -> str:
    kind, content = ("svg+xml", part.svg.encode()) if part.svg else (part.kind, part.encoded)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _png(parts: Sequence[_Text | _Picture], width: float, height: float) -> bytes:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (round(width * _DPI), round(height * _DPI)), "white")
    pen = ImageDraw.Draw(sheet)
    for part in parts:
        x, y = round(part.x * _DPI), round(part.y * _DPI)
        if isinstance(part, _Text):
            pen.text((x, y), part.text, part.color, _font(part.size), anchor="ls")
            continue
        picture = Image.open(io.BytesIO(part.encoded)).convert("RGB")
        across, down = part.width * _DPI, part.height * _DPI
        if not part.framed:
            scale = min(across / picture.width, down / picture.height)
            across, down = picture.width * scale, picture.height * scale
        sheet.paste(picture.resize((round(across), round(down)), Image.Resampling.NEAREST), (x, y))
        if part.framed:
            pen.rectangle((x, y, x + round(across), y + round(down)), outline=_GREY)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", dpi=(_DPI, _DPI))
    return buffer.getvalue()


@cache
def _font(size: float) -> Any:
    """The font that comes with matplotlib, which has Greek letters and the signs of mathematics."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size * _DPI / 72)
