"""Associations between two metrics that have a curve over the same levels on the same images, measured for each method.

An association answers how well one metric predicts the other (see `stats.association`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from heatproof.report.analysis import SEED
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import Association, relate, resampling_weights
from heatproof.store.manifest import Manifest

DRAWS = 1000


@dataclass(frozen=True)
class MeasuredAssociation:
    """An association between two metrics, measured on one network.

    Attributes:
        title: the title of the association.
        x: the label of the first metric.
        y: the label of the second metric.
        level: the name of the quantity that the levels are values of.
        levels: the values at which both curves were measured.
        points: for each method, the values of x and of y, each [images, levels].
        by_method: for each method, the statistics of the association.
    """

    title: str
    x: str
    y: str
    level: str
    levels: tuple[float, ...]
    points: Mapping[str, tuple[Floats, Floats]]
    by_method: Mapping[str, Association]


def measured_associations(scores: ModelScores, manifest: Manifest) -> Iterator[MeasuredAssociation]:
    """The associations of the run whose two metrics were measured, and have curves of the same length, on this network.

    A method is left out if fewer than two images have a level at which both metrics have a value.
    """
    matrices = {matrix.metric.label: matrix for matrix in scores.matrices if matrix.curves is not None}
    for entry in manifest.associations:
        x, y = matrices.get(entry.x), matrices.get(entry.y)
        if x is None or y is None:
            continue
        points = {method.label: curves for method in x.methods if (curves := _curves(x, y, method.label)) is not None}
        by_method = {}
        for label, (a, b) in points.items():
            weights = resampling_weights(len(a), DRAWS, np.random.default_rng(SEED))
            association = relate(a, b, weights)
            if association.n > 1:
                by_method[label] = association
        if by_method:
            levels = x.metric.curve_x or tuple(map(float, range(next(iter(points.values()))[0].shape[1])))
            yield MeasuredAssociation(
                entry.title, x.metric.label, y.metric.label, x.metric.curve_axes[0], levels, points, by_method
            )


def _curves(x: ScoreMatrix, y: ScoreMatrix, label: str) -> tuple[Floats, Floats] | None:
    """The curves of one method under both metrics, each [images, levels]; None unless they match in images and shape."""
    rows = [[i for i, method in enumerate(matrix.methods) if method.label == label] for matrix in (x, y)]
    if not all(rows) or x.images != y.images or x.curves is None or y.curves is None:
        return None
    a, b = x.curves[rows[0][0]], y.curves[rows[1][0]]
    return (a, b) if a.shape == b.shape else None
