"""Maps of one image as more and more of the network's weights are replaced: a row per method, a column per block."""

import json
from dataclasses import dataclass

from heatproof.report.figures.gallery import SALIENCY, SIGNED, Gallery, GalleryRow, Head, Look, make_tile, page_side, thumbnail
from heatproof.report.score_matrix import ModelScores
from heatproof.store import Run
from heatproof.store.manifest import Manifest

_STAGES = """
SELECT model, method, image, image_name, min_by(unit, seed) AS unit, min_by(metric_details, seed) AS details,
       min_by(metric_settings, seed) AS settings
FROM records WHERE metric_details LIKE '%"blocks"%' AND component = '' GROUP BY ALL ORDER BY ALL
"""
_WAYS = {
    "top_down": "in the last block, the last two, and so on, down to the input",
    "bottom_up": "in the first block, the first two, and so on, up to the outputs",
    "independent": "in one block alone, from the last to the first",
}


@dataclass(frozen=True)
class Cascade:
    """The same maps in two looks, what replaced weights in what order, and the image."""

    sizes: Gallery
    signed: Gallery
    way: str
    image: str


def read_cascade(run: Run, manifest: Manifest, scores: ModelScores) -> Cascade | None:
    """Of the first image whose further maps were kept; None if there is none."""
    rows = [row for row in run.query(_STAGES).to_pylist() if row["model"] in scores.model.keys]
    for image in manifest.images:
        own = {row["method"]: row for row in rows if row["image"] == image.digest}
        kept = {key: row for key, row in own.items() if run.further(row["unit"], image.digest)}
        if not kept:
            continue
        first = next(iter(kept.values()))
        units = {method.key: kept[method.key]["unit"] for method in manifest.methods if method.key in kept}
        labels = {method.key: method.label for method in manifest.methods}
        stages = [name for name in json.loads(first["details"])["blocks"] if name in run.further(first["unit"], image.digest)]
        sizes, signed = (_gallery(run, look, units, labels, image.digest, stages) for look in (SALIENCY, SIGNED))
        return Cascade(sizes, signed, _WAYS[json.loads(first["settings"])["order"]], image.name)
    return None


def _gallery(run: Run, look: Look, units: dict[str, str], labels: dict[str, str], digest: str, stages: list[str]) -> Gallery:
    side = page_side(len(units) * (len(stages) + 1))
    picture = thumbnail(run.image_path(digest), side)
    names = [digest, *(f"{digest}/{stage}" for stage in stages)]
    rows: list[GalleryRow] = []
    for key, unit in units.items():
        said = [f"{labels[key]}, {name.partition('/')[2] or 'trained'}" for name in names]
        tiles = tuple(make_tile(run.map(unit, name), what, side, look) for name, what in zip(names, said, strict=True))
        rows.append(GalleryRow(key, labels[key], b"" if rows else picture, tiles))
    return Gallery(look, (Head("trained"), *map(Head, stages)), tuple(rows), side, 0, 1)
