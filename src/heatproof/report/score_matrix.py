"""The records of a run are arranged as one array of scores per model and metric, of shape [methods, images].

The score of an image is the mean over its seeds, so an image counts once however many seeds it has. With several seeds, the
Monte Carlo error of that mean is the standard deviation over the seeds, divided by the square root of their number; with one
seed, it is the error that the record states. A value of NaN means that there is no score.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heatproof.report.names import told_apart
from heatproof.store import Run
from heatproof.store.manifest import ImageEntry, Manifest, MethodEntry, MetricEntry, ModelEntry

if TYPE_CHECKING:
    import pyarrow as pa

Floats = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int32]]
"""Places in the manifest."""

_SOURCES = """
FROM records JOIN model_places ON records.model = model_places.key
             JOIN metric_places ON records.metric = metric_places.name AND metric_settings = metric_places.settings
             JOIN method_places ON records.method = method_places.key
             JOIN image_places ON records.image = image_places.key
"""
"""Records name models, methods, metrics and images by long texts; their places in the manifest take a fraction of the memory."""
_PLACES = "model_places.place AS m, metric_places.place AS k, method_places.place AS r, image_places.place AS c"
_SCORES = f"""
SELECT {_PLACES}, component,
       avg(value) FILTER (isfinite(value)) AS value,
       CASE WHEN count(*) FILTER (isfinite(value)) > 1
            THEN stddev_samp(value) FILTER (isfinite(value)) / sqrt(count(*) FILTER (isfinite(value)))
            ELSE max(error) FILTER (isfinite(error)) END AS error
{_SOURCES} GROUP BY ALL ORDER BY m, k
"""
_CURVES = f"SELECT {_PLACES}, curve {_SOURCES} WHERE component = '' AND len(curve) > 1 ORDER BY m, k, seed"
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
    metrics = told_apart(manifest.metrics)
    places = _places(manifest, metrics)
    scores, curves = _by_metric(run.query(_SCORES, places)), _by_metric(run.query(_CURVES, places))
    costs, captions = run.query(_COSTS).to_pylist(), run.query(_CAPTIONS).to_pylist()
    all_scores = []
    for m, model in enumerate(manifest.models):
        matrices = tuple(
            _matrix(model, metric, manifest, scores[m, k], curves.get((m, k)))
            for k, metric in enumerate(metrics)
            if (m, k) in scores
        )
        if matrices:
            own_costs = [row for row in costs if row["model"] in model.keys]
            own_captions = [row for row in captions if row["model"] in model.keys]
            all_scores.append(
                ModelScores(
                    model,
                    matrices,
                    {row["method"]: MapCost(row["forward"], row["backward"], row["seconds"]) for row in own_costs},
                    {row["image"]: ImageCaption(row["target"], row["probability"], row["score"]) for row in own_captions},
                )
            )
    return all_scores


def _places(manifest: Manifest, metrics: Sequence[MetricEntry]) -> dict[str, "pa.Table"]:
    """The tables that give each model, metric, method and image its place in the manifest."""
    import pyarrow as pa

    def numbered(*columns: Sequence[str], names: tuple[str, ...] = ("key",), places: Sequence[int] | None = None) -> "pa.Table":
        texts = {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
        return pa.table(texts | {"place": pa.array(range(len(columns[0])) if places is None else places, pa.int32())})

    models = [(key, place) for place, model in enumerate(manifest.models) for key in dict.fromkeys(model.keys)]
    return {
        "model_places": numbered([key for key, _ in models], places=[place for _, place in models]),
        "metric_places": numbered(
            [metric.name for metric in metrics], [metric.settings_key for metric in metrics], names=("name", "settings")
        ),
        "method_places": numbered([method.key for method in manifest.methods]),
        "image_places": numbered([image.digest for image in manifest.images]),
    }


def _by_metric(table: "pa.Table") -> dict[tuple[int, int], "pa.Table"]:
    """The rows of each model and metric, of a table that is sorted by them."""
    pairs = np.stack([table["m"].to_numpy(), table["k"].to_numpy()])
    starts = np.flatnonzero(np.r_[True, (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)]) if table.num_rows else np.array([], int)
    ends = np.r_[starts[1:], table.num_rows]
    found = zip(pairs[:, starts].T.tolist(), starts.tolist(), ends.tolist(), strict=True) if table.num_rows else ()
    return {(m, k): table.slice(start, end - start) for (m, k), start, end in found}


def _matrix(
    model: ModelEntry, metric: MetricEntry, manifest: Manifest, scores: "pa.Table", curves: "pa.Table | None"
) -> ScoreMatrix:
    rows, row = np.unique(scores["r"].to_numpy(), return_inverse=True)
    columns, column = np.unique(scores["c"].to_numpy(), return_inverse=True)
    component, values = scores["component"].to_numpy(), scores["value"].to_numpy()
    shape = (len(rows), len(columns))
    grids: dict[str, Floats] = {}
    for name in dict.fromkeys(("", *component.tolist())):
        own, grids[name] = component == name, np.full(shape, np.nan)
        grids[name][row[own], column[own]] = values[own]
    own, errors = component == "", np.full(shape, np.nan)
    errors[row[own], column[own]] = scores["error"].to_numpy()[own]
    stacked, odd = (None, 0) if curves is None else _stack(curves, rows, columns)
    return ScoreMatrix(
        model,
        metric,
        tuple(manifest.methods[place] for place in rows),
        tuple(manifest.images[place] for place in columns),
        grids.pop(""),
        errors,
        dict(sorted(grids.items())),
        stacked,
        odd,
    )


def _stack(curves: "pa.Table", rows: Places, columns: Places) -> tuple[Floats, int]:
    """The curves averaged over seeds, [methods, images, points], and the number of curves that differ in their number of points."""
    lists = curves["curve"].combine_chunks()
    lengths = lists.value_lengths().to_numpy()
    points = Counter(lengths.tolist()).most_common(1)[0][0]
    usual = np.flatnonzero(lengths == points)
    at = np.searchsorted(rows, curves["r"].to_numpy()[usual]), np.searchsorted(columns, curves["c"].to_numpy()[usual])
    total, count = np.zeros((len(rows), len(columns), points)), np.zeros((len(rows), len(columns), 1))
    np.add.at(total, at, lists.take(usual).flatten().to_numpy(zero_copy_only=False).reshape(-1, points))
    np.add.at(count, at, 1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0), len(lengths) - len(usual)
