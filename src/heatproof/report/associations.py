"""Two metrics of the same images at the same levels, drawn against each other: what one tells of the other, method by method."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from heatproof.report.analysis import SEED
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import Association, relate, resampling_weights
from heatproof.store.manifest import Manifest

DRAWS = 1000


@dataclass(frozen=True)
class Related:
    """An association on one network: `points[method]` are x and y, each [images, levels]."""

    title: str
    x: str
    y: str
    level: str
    levels: tuple[float, ...]
    points: Mapping[str, tuple[Floats, Floats]]
    by_method: Mapping[str, Association]


def associations(scores: ModelScores, manifest: Manifest) -> Iterator[Related]:
    """Every association of the run whose two metrics have curves of one length; methods without two full images are left out."""
    panels = {panel.metric.label: panel for panel in scores.panels if panel.curves is not None}
    for entry in manifest.associations:
        x, y = panels.get(entry.x), panels.get(entry.y)
        if x is None or y is None:
            continue
        points = {method.label: pair for method in x.methods if (pair := _pair(x, y, method.label)) is not None}
        by_method = {}
        for label, (a, b) in points.items():
            weights = resampling_weights(len(a), DRAWS, np.random.default_rng(SEED))
            association = relate(a, b, weights)
            if association.n > 1:
                by_method[label] = association
        if by_method:
            levels = x.metric.curve_x or tuple(map(float, range(next(iter(points.values()))[0].shape[1])))
            yield Related(entry.title, x.metric.label, y.metric.label, x.metric.curve_axes[0], levels, points, by_method)


def _pair(x: ScoreMatrix, y: ScoreMatrix, label: str) -> tuple[Floats, Floats] | None:
    rows = [[i for i, method in enumerate(panel.methods) if method.label == label] for panel in (x, y)]
    if not all(rows) or x.images != y.images or x.curves is None or y.curves is None:
        return None
    a, b = x.curves[rows[0][0]], y.curves[rows[1][0]]
    return (a, b) if a.shape == b.shape else None
