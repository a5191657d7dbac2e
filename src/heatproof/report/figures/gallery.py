"""A gallery shows maps side by side, one row per image and one column per method, in one of two styles.

Both styles show A, the sum of a map over its channels.

    SIGNED      Red is positive, blue negative, white zero (RdBu_r). Full colour is the 99.5th percentile of |A|.
    SALIENCY    S = (|A| − min|A|) / (q − min|A|) clipped to [0, 1], q the 99th percentile of |A|: black is 0, white 1.

Each map has its own scale, and the gallery prints the value that full colour stands for. The pictures show means over blocks of
pixels, which keeps the page small; the maps themselves stay in the run's folder maps/. A picture has 255 colours, so that smooth
maps show no bands, or 33 where most neighbouring pixels differ by more than one of these: that shows no bands either and takes less
space.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError
from heatproof.core.formatting import significant
from heatproof.pictures.areas import areas, describe_places
from heatproof.pictures.colors import STEPS, Floats, describe, full_color, palette, shares_of
from heatproof.pictures.drawings import painted, place_values, png, svg
from heatproof.pictures.signed_map import STORED, signed_map
from heatproof.report.score_matrix import ModelScores
from heatproof.store import Run
from heatproof.store.manifest import Manifest

SALIENCY_PERCENTILE = 99.0
MOST_IMAGES = 24
_FEW_STEPS = 16  # colours on either side of the middle of a palette
_MOST_BANDS = 8  # channels of a signal that are drawn as areas
_PAGE_BYTES = 2_400_000  # for all maps on one page, before base64 encoding
_UNITS = """
    SELECT model, method, image, min_by(unit, seed) AS unit, min_by(clean_score, seed) AS score
    FROM records WHERE image IN (SELECT image FROM images_with_maps) GROUP BY model, method, image ORDER BY ALL"""


@dataclass(frozen=True)
class MapTile:
    """The picture of one map.

    Attributes:
        png: the picture as a PNG with a palette.
        svg: the same as SVG where the map is painted on a drawing; empty elsewhere.
        full: the value that full colour stands for.
        alt: a description of the map for readers who cannot see it.
    """

    png: bytes
    full: float
    alt: str
    svg: str = ""


class ColumnHead(NamedTuple):
    """The head of a column: its label, and whether the column shows a control."""

    label: str
    control: bool = False


@dataclass(frozen=True)
class GalleryRow:
    """One row of a gallery.

    Attributes:
        key: the digest of the image, or the key of the method, that all maps of the row share.
        name: its name.
        thumbnail: the image as WebP; empty if there is none.
        tiles: the pictures of the maps; None for a map that was not stored.
    """

    key: str
    name: str
    thumbnail: bytes
    tiles: tuple[MapTile | None, ...]


@dataclass(frozen=True)
class GalleryStyle:
    """The way in which a channel sum [h, w] is drawn.

    Attributes:
        palette: a function of the number k of colours on either side of the middle that returns the colours, uint8 [2k + 1, 3].
        shade: a function that takes the channel sum and the largest side in pixels; it returns positions on the palette in [0, 1],
            and the value of full colour.
        sign: the sign that is printed before the value of full colour.
        ends: the labels at the two ends of the colour bar.
        scale: the sentence about the scale of a map, in which {} stands for the value of full colour.
    """

    palette: Callable[[int], "np.ndarray[Any, np.dtype[np.uint8]]"]
    shade: Callable[[Floats, int], tuple[Floats, float]]
    sign: str
    ends: tuple[str, str]
    scale: str

    def meaning(self, full: float) -> str:
        """The sentence about the scale of a map with this value of full colour."""
        return self.scale.format(significant(full))


@dataclass(frozen=True)
class Gallery:
    """The maps of one model in one style.

    Attributes:
        style: the style in which the maps are drawn.
        heads: the heads of the columns.
        rows: the rows, one per image or per method.
        side: the largest side of a map on the page, in pixels.
        left_out: the number of images that have maps but are not shown.
        seeds: the number of seeds of the run, of which the first is shown.
        of: what the maps explain: an image, a signal, a table, or a signal with a drawing.
    """

    style: GalleryStyle
    heads: tuple[ColumnHead, ...]
    rows: tuple[GalleryRow, ...]
    side: int
    left_out: int
    seeds: int
    of: str = "image"


def grays(steps: int = STEPS) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """The greys from black to white, uint8 [2 steps + 1, 3]."""
    return np.round(np.linspace(0, 255, 2 * steps + 1))[:, None].repeat(3, axis=1).astype(np.uint8)


def saliency(values: Floats) -> tuple[Floats, float]:
    """The saliency S in [0, 1] of a channel sum, and q; S is zero everywhere if |A| is constant up to stored rounding."""
    size = np.abs(values)
    low, high = float(size.min()), float(np.percentile(size, SALIENCY_PERCENTILE))
    return (np.clip((size - low) / (high - low), 0, 1) if high - low > 2 * STORED * high else np.zeros_like(size)), high


def _signed_shade(values: Floats, side: int) -> tuple[Floats, float]:
    small = _averaged(values, side)
    full = full_color(small)
    return (np.full_like(small, 0.5) if full == 0 else (np.clip(small / full, -1, 1) + 1) / 2), full


def _saliency_shade(values: Floats, side: int) -> tuple[Floats, float]:
    shares, full = saliency(values)
    return _averaged(shares, side), full


SIGNED = GalleryStyle(
    palette,
    _signed_shade,
    "±",
    ("− the number", "+ the number"),
    "Full colour stands for ± {}, the 99.5th percentile of its absolute values.",
)
SALIENCY = GalleryStyle(
    grays,
    _saliency_shade,
    "≥",
    ("0", "the number, or more"),
    "White stands for {} or more, the 99th percentile of its absolute values.",
)


def build_gallery(
    run: Run, manifest: Manifest, scores: ModelScores, style: GalleryStyle = SIGNED, most_images: int = MOST_IMAGES
) -> Gallery | None:
    """The gallery of one model; None if the run stored no maps of it."""
    import pyarrow as pa

    own = manifest.units_of(scores.model)
    stored = {unit: run.mapped(unit) for unit in run.done() if own is None or unit in own}
    mapped = sorted(set().union(*stored.values()))
    if not mapped:
        return None
    found = run.query(_UNITS, {"images_with_maps": pa.table({"image": mapped})}, own).to_pylist()
    records = [row for row in found if row["model"] in scores.model.keys]
    units = {(row["method"], row["image"]): row["unit"] for row in records}
    explained = {(row["method"], row["image"]): row["score"] for row in records}
    with_map = {key: unit for key, unit in units.items() if key[1] in stored.get(unit, ())}
    with_maps = [image for image in manifest.images if any(digest == image.digest for _, digest in with_map)]
    if not with_maps:
        return None
    methods = tuple(method for method in manifest.methods if any(key == method.key for key, _ in with_map))
    images = with_maps[:most_images]
    side = page_side(len(images) * len(methods))
    drawings = {image.digest: run.drawing(image.digest) for image in images}
    rows = tuple(
        GalleryRow(
            image.digest,
            image.name,
            _shown(drawings[image.digest], run, image.digest, side),
            tuple(
                make_tile(
                    run.map(with_map[key], image.digest),
                    f"{method.label}, {image.name}",
                    side,
                    style,
                    explained[key],
                    drawings[image.digest],
                )
                if key in with_map
                else None
                for method in methods
                for key in [(method.key, image.digest)]
            ),
        )
        for image in images
    )
    heads = tuple(ColumnHead(method.label, method.control) for method in methods)
    (image, unit), *_ = ((key[1], unit) for key, unit in with_map.items())
    kind = kind_of(run.map(unit, image)) if run.drawing(image) is None else "drawing"
    return Gallery(style, heads, rows, side, len(with_maps) - len(images), len(manifest.seeds), kind)


def page_side(tiles: int) -> int:
    """The side of a map in pixels, 64 to 224, chosen so that all maps fit into the space of a page at about 5 bits per pixel."""
    return int(np.clip(np.sqrt(_PAGE_BYTES / max(tiles, 1) * 8 / 5), 64, 224))


def color_bar(style: GalleryStyle) -> bytes:
    """The palette as a PNG: its colours side by side."""
    from PIL import Image

    return _png(Image.fromarray(np.repeat(np.repeat(style.palette(STEPS)[None], 12, axis=0), 2, axis=1)))


def make_tile(
    raw: "np.ndarray[Any, np.dtype[np.float32]]",
    what: str,
    side: int,
    style: GalleryStyle,
    score: float = np.nan,
    drawing: Drawing | None = None,
) -> MapTile:
    """The picture of a stored map [c, h, w] of an image with that explained score; `what` names the map in its description.

    An image of one row is a signal, which is painted on its drawing if it has one, and one of one pixel is a row of a table.
    """
    if drawing is not None:
        return _drawn_tile(raw[:, 0], what, style, drawing)
    if (kind := kind_of(raw)) != "image":
        return _area_tile(raw[:, 0] if kind == "signal" else raw[:, 0, 0], what, side, style)
    values = signed_map(raw.astype(np.float64), STORED, score)
    shares, full = style.shade(values, side)
    return MapTile(_picture(shares, style), full, describe(values, what))


def kind_of(raw: "np.ndarray[Any, Any]") -> str:
    """What a stored map [c, h, w] explains."""
    return "image" if raw.shape[1] > 1 else "signal" if raw.shape[2] > 1 else "table"


def _drawn_tile(raw: "np.ndarray[Any, Any]", what: str, style: GalleryStyle, drawing: Drawing) -> MapTile:
    """The picture of the map of a signal on its drawing."""
    values = place_values(raw.astype(np.float64), drawing)
    shares, full = style.shade(values[None], values.size)
    colors = style.palette(STEPS)[np.round(shares[0] * 2 * STEPS).astype(int)]
    drawn = svg(painted(drawing, colors), drawing.width, drawing.height)
    return MapTile(png(drawn), full, describe_places(values[None], what), drawn)


def _shown(drawing: Drawing | None, run: Run, digest: str, side: int) -> bytes:
    """What is explained, as WebP: its drawing, or the image as the network received it."""
    if drawing is None:
        return thumbnail(run.image_path(digest), side)
    return _webp(png(svg(painted(drawing), drawing.width, drawing.height)), side)


def _webp(encoded: bytes, side: int) -> bytes:
    from PIL import Image

    small = Image.open(io.BytesIO(encoded)).convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82)
    return buffer.getvalue()


def _area_tile(raw: "np.ndarray[Any, Any]", what: str, side: int, style: GalleryStyle) -> MapTile:
    """The picture of a map of a table, with one bar for each input, or of a signal, with one area for each channel.

    Long signals are averaged over blocks; many channels are rows of colours.
    """
    values = np.where(np.isfinite(raw), raw, 0.0).astype(np.float64)
    if raw.ndim == 2:
        values = _block_means(values, -(-values.shape[1] // (2 * side)))
    full = full_color(values)
    shares = shares_of(values, full)
    if raw.ndim == 1:
        drawn = np.repeat(areas(shares[None], side).T[:, ::-1], max(1, side // len(shares)), axis=0)
    elif len(shares) <= _MOST_BANDS:
        drawn = areas(shares, side // (2 * len(shares)))
    else:
        drawn = np.repeat(shares, max(1, side // len(shares)), axis=0)
    wide = np.repeat(drawn, max(1, side // drawn.shape[1]), axis=1)
    return MapTile(_picture(np.abs(wide) if style is SALIENCY else (wide + 1) / 2, style), full, describe_places(raw, what))


def _block_means(values: Floats, block: int) -> Floats:
    """The means over blocks of the last axis; the last block may be smaller."""
    starts = np.arange(0, values.shape[1], block)
    return np.asarray(np.add.reduceat(values, starts, axis=1) / np.diff(np.append(starts, values.shape[1])))


def _picture(shares: Floats, style: GalleryStyle) -> bytes:
    """The PNG of positions on a palette. Few colours show bands where most neighbours differ by less than one of them."""
    from PIL import Image

    changes = np.concatenate([np.abs(np.diff(shares, axis=axis)).ravel() for axis in (0, 1)])
    smooth = changes.size == 0 or float(np.median(changes)) * 2 * _FEW_STEPS < 1
    steps = STEPS if smooth else _FEW_STEPS
    picture = Image.fromarray(np.round(shares * 2 * steps).astype(np.uint8), mode="P")
    picture.putpalette(style.palette(steps).tobytes())
    return _png(picture)


def _averaged(values: Floats, side: int) -> Floats:
    """The means over square blocks of pixels, with at most `side` blocks along the longer side; the last blocks may be smaller.

    Blocks do not overlap, because resampling with overlaps damps noise in stripes that would look like structure of the map.
    """
    block = -(-max(values.shape) // side)
    starts = [np.arange(0, extent, block) for extent in values.shape]
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    heights, widths = (np.diff(np.append(start, extent)) for start, extent in zip(starts, values.shape, strict=True))
    return np.asarray(sums / np.outer(heights, widths))


def thumbnail(path: Path, side: int) -> bytes:
    """The image as WebP with at most `side` pixels along each side; empty if the image was not stored."""
    from PIL import Image

    if not path.exists():
        return b""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            small = picture.convert("RGB")
    except OSError as error:
        raise DataError(f"{path}: expected a whole PNG, got {error}. Delete it and run its unit again.") from error
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82)
    return buffer.getvalue()


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def captions(gallery: Gallery, manifest: Manifest, scores: ModelScores) -> Mapping[str, Sequence[str]]:
    """The lines under each image: the explained class and its probability, or the explained output where there are no classes; and
    the image's label if it is another class.
    """
    lines: dict[str, list[str]] = {}
    labels = {image.digest: image.label_name for image in manifest.images}
    for row in gallery.rows:
        caption, label = scores.captions.get(row.key), labels.get(row.key, "")
        if caption is None:
            lines[row.key] = [label] if label else []
            continue
        known = caption.target >= 0
        name = manifest.class_name(caption.target) if known else f"output\u00a0=\u00a0{significant(caption.score, 3)}"
        probability = [f"p\u00a0=\u00a0{caption.probability:.2f}"] if np.isfinite(caption.probability) else []
        lines[row.key] = [name, *probability] + ([f"label: {label}"] if label and label != name else [])
    return lines
