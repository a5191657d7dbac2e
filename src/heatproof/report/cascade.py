"""The maps of one image while the network's weights are replaced block by block: one row per method, one column per block."""

import json
from dataclasses import dataclass

from heatproof.report.figures.gallery import (
    SALIENCY,
    SIGNED,
    ColumnHead,
    Gallery,
    GalleryRow,
    GalleryStyle,
    make_tile,
    page_side,
    thumbnail,
)
from heatproof.report.score_matrix import ModelScores
from heatproof.store import Run
from heatproof.store.manifest import Manifest

_STAGES = """
SELECT model, method, image, image_name, min_by(unit, seed) AS unit, min_by(metric_details, seed) AS details,
       min_by(metric_settings, seed) AS settings
FROM records WHERE metric_details LIKE '%"blocks"%' AND component = '' GROUP BY ALL ORDER BY ALL
"""
_ORDERS = {
    "top_down": "in the last block, the last two, and so on, down to the input",
    "bottom_up": "in the first block, the first two, and so on, up to the outputs",
    "independent": "in one block alone, from the last to the first",
}


@dataclass(frozen=True)
class Cascade:
    """The maps of one image under replaced weights, by several methods.

    Attributes:
        saliency: the absolute values of the maps, from black to white.
        signed: the same maps with their signs, in red and blue.
        order: where weights are replaced in each column, in words.
        image: the name of the image.
    """

    saliency: Gallery
    signed: Gallery
    order: str
    image: str


def read_cascade(run: Run, manifest: Manifest, scores: ModelScores) -> Cascade | None:
    """The cascade of the first image whose maps under replaced weights were stored; None if there is no such image."""
    rows = [
        row for row in run.query(_STAGES, units=manifest.units_of(scores.model)).to_pylist() if row["model"] in scores.model.keys
    ]
    for image in manifest.images:
        own = {row["method"]: row for row in rows if row["image"] == image.digest}
        stored = {key: row for key, row in own.items() if run.further(row["unit"], image.digest)}
        if not stored:
            continue
        first = next(iter(stored.values()))
        units = {method.key: stored[method.key]["unit"] for method in manifest.methods if method.key in stored}
        labels = {method.key: method.label for method in manifest.methods}
        stages = [name for name in json.loads(first["details"])["blocks"] if name in run.further(first["unit"], image.digest)]
        saliency, signed = (_gallery(run, style, units, labels, image.digest, stages) for style in (SALIENCY, SIGNED))
        return Cascade(saliency, signed, _ORDERS[json.loads(first["settings"])["order"]], image.name)
    return None


def _gallery(
    run: Run, style: GalleryStyle, units: dict[str, str], labels: dict[str, str], digest: str, stages: list[str]
) -> Gallery:
    side = page_side(len(units) * (len(stages) + 1))
    picture = thumbnail(run.image_path(digest), side)
    names = [digest, *(f"{digest}/{stage}" for stage in stages)]
    rows: list[GalleryRow] = []
    for key, unit in units.items():
        descriptions = [f"{labels[key]}, {name.partition('/')[2] or 'trained'}" for name in names]
        tiles = tuple(
            make_tile(run.map(unit, name), description, side, style) for name, description in zip(names, descriptions, strict=True)
        )
        rows.append(GalleryRow(key, labels[key], b"" if rows else picture, tiles))
    return Gallery(style, (ColumnHead("trained"), *map(ColumnHead, stages)), tuple(rows), side, 0, 1)
