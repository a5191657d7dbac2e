"""The records of a run are arranged as one array of scores per model and metric, of shape [methods, images].

The score of an image is the mean over its seeds, so an image counts once however many seeds it has. With several seeds, the
Monte Carlo error of that mean is the standard deviation over the seeds, divided by the square root of their number; with one
seed, it is the error that the record states. A value of NaN means that there is no score.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.report.names import told_apart
from heatproof.store import Run
from heatproof.store.manifest import ImageEntry, Manifest, MethodEntry, MetricEntry, ModelEntry

Floats = np.ndarray[Any, np.dtype[np.float64]]

_SCORES = """
SELECT model, method, metric, metric_settings, component, image,
       avg(value) FILTER (isfinite(value)) AS value,
       CASE WHEN count(*) FILTER (isfinite(value)) > 1
            THEN stddev_samp(value) FILTER (isfinite(value)) / sqrt(count(*) FILTER (isfinite(value)))
            ELSE max(error) FILTER (isfinite(error)) END AS error
FROM records GROUP BY ALL
"""
_CURVES = "SELECT model, method, metric, metric_settings, image, curve FROM records WHERE component = '' AND len(curve) > 1"
_COSTS = """
SELECT model, method, avg(forward_rows) AS forward, avg(backward_rows) AS backward, avg(seconds) AS seconds
FROM (SELECT DISTINCT model, method, image, seed, forward_rows, backward_rows, seconds FROM records) GROUP BY ALL
"""
_CAPTIONS = """
SELECT model, image, min(target) AS target, avg(clean_probability) AS probability, avg(clean_score) AS score
FROM records GROUP BY ALL
"""


@dataclass(frozen=True)
class ScoreMatrix:
    """The scores of one metric on one model.

    Attributes:
        model: the model.
        metric: the metric.
        methods: the methods and controls, one for each row of the arrays.
        images: the images, one for each column of the arrays.
        values: scores [methods, images].
        errors: Monte Carlo errors of the scores, [methods, images].
        components: the values of each further component of the metric, [methods, images].
        curves: the curves behind the scores, [methods, images, points]; None if the metric has none.
        odd_curves: the number of curves that were left out because they differ from most in their number of points.
    """

    model: ModelEntry
    metric: MetricEntry
    methods: tuple[MethodEntry, ...]
    images: tuple[ImageEntry, ...]
    values: Floats
    errors: Floats
    components: Mapping[str, Floats]
    curves: Floats | None
    odd_curves: int = 0


@dataclass(frozen=True)
class MapCost:
    """The average cost of one map of a method: forward passes, backward passes and seconds."""

    forward: float
    backward: float
    seconds: float


@dataclass(frozen=True)
class ImageCaption:
    """What was explained for an image.

    Attributes:
        target: the class; −1 if the explained output depends on no class.
        probability: the probability that the network gives the class; NaN if there is no class.
        score: the explained output.
    """

    target: int
    probability: float
    score: float


@dataclass(frozen=True)
class ModelScores:
    """Everything that was measured on one model.

    Attributes:
        model: the model.
        matrices: the scores, one matrix per metric.
        costs: the average cost of one map, by the key of the method.
        captions: the explained class of each image, by the digest of the image.
    """

    model: ModelEntry
    matrices: tuple[ScoreMatrix, ...]
    costs: Mapping[str, MapCost]
    captions: Mapping[str, ImageCaption]


def read_scores(run: Run, manifest: Manifest) -> list[ModelScores]:
    """The scores of every model that has any, in the order of the manifest."""
    scores, curves = run.query(_SCORES).to_pylist(), run.query(_CURVES).to_pylist()
    costs, captions = run.query(_COSTS).to_pylist(), run.query(_CAPTIONS).to_pylist()
    metrics = told_apart(manifest.metrics)
    all_scores = []
    for model in manifest.models:
        own = [row for row in scores if row["model"] in model.keys]
        if not own:
            continue
        own_curves = [row for row in curves if row["model"] in model.keys]
        matrices = (_matrix(model, metric, manifest, own, own_curves) for metric in metrics)
        all_scores.append(
            ModelScores(
                model,
                tuple(matrix for matrix in matrices if matrix is not None),
                {
                    row["method"]: MapCost(row["forward"], row["backward"], row["seconds"])
                    for row in costs
                    if row["model"] in model.keys
                },
                {
                    row["image"]: ImageCaption(row["target"], row["probability"], row["score"])
                    for row in captions
                    if row["model"] in model.keys
                },
            )
        )
    return all_scores


def _matrix(
    model: ModelEntry, metric: MetricEntry, manifest: Manifest, scores: list[dict[str, Any]], curves: list[dict[str, Any]]
) -> ScoreMatrix | None:
    own = [row for row in scores if (row["metric"], row["metric_settings"]) == (metric.name, metric.settings_key)]
    if not own:
        return None
    scored_methods, scored_images = {row["method"] for row in own}, {row["image"] for row in own}
    methods = tuple(method for method in manifest.methods if method.key in scored_methods)
    images = tuple(image for image in manifest.images if image.digest in scored_images)
    row_of = {method.key: index for index, method in enumerate(methods)}
    column_of = {image.digest: index for index, image in enumerate(images)}
    shape = (len(methods), len(images))
    grids: dict[str, Floats] = {row["component"]: np.full(shape, np.nan) for row in own}
    grids.setdefault("", np.full(shape, np.nan))
    errors = np.full(shape, np.nan)
    for row in own:
        at = row_of[row["method"]], column_of[row["image"]]
        grids[row["component"]][at] = np.nan if row["value"] is None else row["value"]
        if row["component"] == "" and row["error"] is not None:
            errors[at] = row["error"]
    own_curves = [row for row in curves if (row["metric"], row["metric_settings"]) == (metric.name, metric.settings_key)]
    stacked, odd = _stack(own_curves, shape, row_of, column_of)
    values = grids.pop("")
    return ScoreMatrix(model, metric, methods, images, values, errors, dict(sorted(grids.items())), stacked, odd)


def _stack(
    rows: list[dict[str, Any]], shape: tuple[int, int], row_of: Mapping[str, int], column_of: Mapping[str, int]
) -> tuple[Floats | None, int]:
    """The curves averaged over seeds, [methods, images, points], and the number of curves that differ in their number of points."""
    if not rows:
        return None, 0
    points = Counter(len(row["curve"]) for row in rows).most_common(1)[0][0]
    total, count = np.zeros((*shape, points)), np.zeros((*shape, 1))
    odd = 0
    for row in rows:
        if len(row["curve"]) != points:
            odd += 1
            continue
        at = row_of[row["method"]], column_of[row["image"]]
        total[at] += row["curve"]
        count[at] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0), odd
