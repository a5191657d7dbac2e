"""The computation of one unit, in a process that the executor chooses.

A process caches the model, the last batch with its clean outputs, and the maps of reference methods on that batch. Units arrive
batch by batch, so all methods and seeds share one clean forward pass. Passes that are shared belong to no record; the plan counts
them once per batch.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.core.objects import built
from heatproof.core.records import Failure, Record
from heatproof.core.settings import canonical_json
from heatproof.data.base import Dataset, Item
from heatproof.data.loading import LoadedImages, load, load_regions, load_scenes
from heatproof.evaluation.answers import checked, forget_answers
from heatproof.evaluation.broadcast import network
from heatproof.evaluation.networks import with_output
from heatproof.evaluation.observed import observed
from heatproof.evaluation.plan import Unit
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.evaluation.same_bits import forget_decisions, same_bits
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.metrics.explain import bound
from heatproof.metrics.metric import Metric
from heatproof.metrics.score import ScoreInputs
from heatproof.metrics.scores import Scores
from heatproof.models.classes import class_probability, default_target
from heatproof.models.model import Model
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.counting import ImageShape, PassCount, count_passes
from heatproof.passes.forward import checked_scores, known_outputs, raw_outputs
from heatproof.passes.network_checks import known_model
from heatproof.perturb.draws import image_digest
from heatproof.pictures.areas import lines
from heatproof.store import Run
from heatproof.store.run_log import log_of


def compute_unit(run: Path, unit: Unit) -> None:
    """Compute a unit and write its part. Refused images are recorded and left out."""
    store = Run.create(run)
    try:
        with observed(run, unit), same_bits(run):
            records, maps = checked(lambda: _compute(store, unit), _are_same, _batch.cache_clear)
            store.write_part(unit.key, records, maps)
    except Exception:
        _batch.cache_clear()  # what it keeps may be what went wrong
        raise


Maps = dict[str, "np.ndarray[Any, Any]"]
"""The maps of a unit as they are stored, by the digest of the image."""


def _compute(store: Run, unit: Unit) -> tuple[list[Record], Maps | None]:
    """The records of a unit and the maps that are stored."""
    loaded_as = canonical_json(unit.model), unit.model_digest, canonical_json(unit.plan), unit.memory, unit.image_shape
    model = _model(*loaded_as)
    model = with_output(model, unit.output).with_(
        incremental=unit.incremental and model.incremental, name=unit.model_label or model.name
    )
    batch = _batch(*loaded_as, canonical_json(unit.dataset), unit.items)
    loaded, images = batch.loaded, batch.images
    if loaded.refused:
        store.write_refused(unit.key, *(Failure(unit=unit.key, what=r.source, reason=r.reason) for r in loaded.refused))
    if not loaded.items:
        return [], None
    if unit.keep and images.ndim > 2:  # a table has no picture
        for item, pixels in zip(loaded.items, _crops(model, images), strict=True):
            if item.digest not in unit.keep:
                continue
            if drawing := built(Dataset, unit.dataset).drawing(item):
                store.write_drawing(item.digest, drawing)
            else:
                store.write_image(item.digest, pixels)
    model = known_model(model, images, gradients=False)
    with known_outputs(model, images, batch.outputs):
        records, values, further = _score(unit, model, batch)
    stored = {item.digest: _as_image(v) for item, v in zip(loaded.items, values, strict=True) if item.digest in unit.keep}
    stored |= {f"{item.digest}/{name}": _as_image(maps[i]) for i, item, name, maps in _stored_further_maps(unit, loaded, further)}
    return records, stored or None


def _are_same(result: tuple[list[Record], Maps | None], other: tuple[list[Record], Maps | None]) -> bool:
    """Whether two computations of a unit gave the same, but for the times that they took."""
    return _text_of(result[0]) == _text_of(other[0]) and _bytes_of(result[1]) == _bytes_of(other[1])


def _text_of(records: list[Record]) -> list[str]:
    return [repr(replace(record, seconds=0.0, metric_seconds=0.0)) for record in records]  # NaN equals NaN as text


def _bytes_of(maps: Maps | None) -> dict[str, bytes]:
    return {key: values.tobytes() for key, values in (maps or {}).items()}


def forget() -> None:
    """Drop the networks and images that this process caches from one unit to the next."""
    _model.cache_clear()
    _batch.cache_clear()
    forget_decisions()
    forget_answers()
    log_of.cache_clear()


@lru_cache(maxsize=2)
def _model(settings: str, digest: str, plan: str, memory: int | None, shape: ImageShape) -> Model:
    model = network(settings, digest)
    model = model.with_(memory=memory or model.memory)
    return apply(Plan.model_validate_json(plan), model, torch.zeros(1, *shape).to(model.device, model.dtype))


@dataclass(frozen=True, eq=False)
class _Batch:
    loaded: LoadedImages
    images: Tensor
    outputs: Tensor
    maps: dict[str, Tensor] = field(default_factory=dict)

    def map_of(self, method: Method, model: Model, target: Tensor, seed: int) -> Tensor:
        """The maps of a reference method, which are computed once per batch, target and seed."""
        seed = seed if method.stochastic else 0
        key = canonical_json([method.to_dict(), str(model.output), target.tolist(), seed])
        if key not in self.maps:
            self.maps[key] = method.attribute(model, self.images, target, seed=seed).values
        return self.maps[key]


@lru_cache(maxsize=1)
def _batch(
    settings: str, digest: str, plan: str, memory: int | None, shape: ImageShape, dataset: str, items: tuple[Item, ...]
) -> _Batch:
    """The images of a unit on the model's device, and the model's raw outputs for them."""
    model, images_of = _model(settings, digest, plan, memory, shape), built(Dataset, json.loads(dataset))
    loaded = load(images_of, items, preprocessing_of(model, images_of))
    images = loaded.images.to(model.device, model.dtype)
    return _Batch(loaded, images, raw_outputs(model, images) if loaded.items else images)


def _as_image(values: Tensor) -> "np.ndarray[Any, Any]":
    """A map as it is stored: of a signal as an image of one row `[c, 1, t]`, of a table as one of one pixel `[f, 1, 1]`."""
    stored: np.ndarray[Any, Any] = values.cpu().float().numpy()
    return stored.reshape(len(stored), 1, -1) if stored.ndim < 3 else stored


SIGNAL_PIXELS = (112, 224)
"""The height of the picture of a signal, unless it has many channels, and its width."""


def _crops(model: Model, images: Tensor) -> list["np.ndarray[Any, Any]"]:
    """The images as pictures of 8 bits: grey, RGB, or the mean over another number of channels as grey; signals as lines."""
    if images.ndim == 3:
        return [
            lines(signal.double().cpu().numpy(), max(24, SIGNAL_PIXELS[0] // len(signal)), SIGNAL_PIXELS[1]) for signal in images
        ]
    if images.shape[1] not in (1, 3):
        images = model.bounds.to_pixels(images).mean(1, keepdim=True)
        return [p.numpy() for p in (images.clamp(0, 1) * 255).round().to(torch.uint8)[:, 0].cpu()]
    pixels = (model.bounds.to_pixels(images).clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    return [p[0].numpy() if len(p) == 1 else p.permute(1, 2, 0).numpy() for p in pixels]


class _Explainer:
    """The unit's method bound to its model. It caches its attributions, each for some images, targets, a seed and a network."""

    def __init__(self, method: Method, model: Model) -> None:
        self.method, self.model = method, model
        self._explain = bound(method, model)
        self._cached: dict[tuple[object, ...], Attribution] = {}

    def clean(self, images: Tensor, target: Tensor, seed: int) -> Attribution:
        """The attribution of the images as they are, whose values are compared with the model's bounds."""
        attribution = self.method.attribute(self.model, images, target, seed=seed)
        self._cached[self._key(images, target, seed, None)] = attribution
        return attribution

    def __call__(self, images: Tensor, target: Tensor, seed: int, model: Model | None = None, /) -> Attribution:
        key = self._key(images, target, seed, model)
        if key not in self._cached:
            self._cached[key] = self._explain(images, target, seed, model)
        return self._cached[key]

    def _key(self, images: Tensor, target: Tensor, seed: int, model: Model | None) -> tuple[object, ...]:
        seed = seed if self.method.stochastic else 0
        return (*map(image_digest, images), *target.tolist(), seed, model and (model.digest, model.output))


def _stored_further_maps(
    unit: Unit, loaded: LoadedImages, further: Mapping[str, Tensor]
) -> Iterator[tuple[int, Item, str, Tensor]]:
    """The further maps to store: those of the first image of the unit whose maps are stored."""
    first = next(((i, item) for i, item in enumerate(loaded.items) if item.digest in unit.keep), None)
    yield from ((*first, name, maps) for name, maps in further.items() if first)


def _score(unit: Unit, model: Model, batch: _Batch) -> tuple[list[Record], Tensor, Mapping[str, Tensor]]:
    """The records, the maps, and the further maps of the first metric that returns any."""
    loaded, images, outputs = batch.loaded, batch.images, batch.outputs
    target = _target(unit, model, outputs, loaded)
    explain = _Explainer(built(Method, unit.method), model)
    attribution = explain.clean(images, target, unit.seed)
    build_records = _record_builder(unit, model, outputs, attribution, loaded)
    records: list[Record] = []
    further: Mapping[str, Tensor] = {}
    inputs = ScoreInputs(
        model,
        images,
        attribution.target,
        attribution.values,
        explain,
        regions=lambda: _regions(unit, model, loaded),
        scenes=lambda: _scenes(unit, model, batch),
        maps_of=lambda method, seed: batch.map_of(method, model, attribution.target, seed),
        seed=unit.seed,
    )
    for settings in unit.metrics:
        metric = built(Metric, settings)
        inputs.prepare(metric)
        started = time.perf_counter()
        with count_passes() as passes:
            scores = inputs.score(metric)
        records += build_records(metric, settings, scores, passes, time.perf_counter() - started)
        further = further or scores.maps
    return records, attribution.values, further


def _regions(unit: Unit, model: Model, loaded: LoadedImages) -> Tensor:
    dataset = built(Dataset, unit.dataset)
    preprocessing = preprocessing_of(model, dataset)
    return load_regions(dataset, preprocessing.region if preprocessing else None, items=loaded.items)


def _scenes(unit: Unit, model: Model, batch: _Batch) -> Tensor:
    dataset = built(Dataset, unit.dataset)
    return load_scenes(dataset, batch.loaded.items, preprocessing_of(model, dataset), batch.images)


def _target(unit: Unit, model: Model, outputs: Tensor, loaded: LoadedImages) -> Tensor:
    if unit.target == "predicted":
        return default_target(model, outputs)
    return torch.tensor([item.label for item in loaded.items], device=outputs.device)


def _details(attribution: Attribution, i: int) -> str:
    """The details that the method reports of one map, as JSON: finite numbers, and lists with null for each missing number."""
    details = {name: values[i].tolist() for name, values in attribution.details.items()}
    lists = {name: [v if isfinite(v) else None for v in value] for name, value in details.items() if isinstance(value, list)}
    numbers = {name: v for name, v in details.items() if not isinstance(v, list) and isfinite(v)}
    return canonical_json(numbers | lists) if details else ""


def _record_builder(
    unit: Unit, model: Model, outputs: Tensor, attribution: Attribution, loaded: LoadedImages
) -> Callable[[Metric, dict[str, Any], Scores, PassCount, float], list[Record]]:
    target, n = attribution.target, len(outputs)
    clean = checked_scores(model, outputs, target).tolist()
    probability = class_probability(model, outputs, target).tolist()
    classes, probes = target.tolist(), attribution.probes.tolist()
    map_error, map_gap = attribution.error.tolist(), attribution.gap.tolist()
    details = [_details(attribution, i) for i in range(n)]
    method_settings = canonical_json(unit.method)

    def build(metric: Metric, settings: dict[str, Any], scores: Scores, passes: PassCount, seconds: float) -> list[Record]:
        metric_settings = canonical_json(settings)
        curves = [[]] * n if scores.curve is None else scores.curve.tolist()
        parts = {"": scores.values, **scores.components}
        return [
            Record(
                unit=unit.key,
                model=model.name,
                method=unit.method_digest,
                method_label=unit.label,
                method_settings=method_settings,
                metric=metric.name,
                metric_settings=metric_settings,
                component=component,
                direction=metric.direction,
                image=item.digest,
                image_name=item.name,
                label=item.label,
                target=classes[i],
                clean_score=clean[i],
                clean_probability=probability[i],
                seed=unit.seed,
                value=float(values[i]),
                error=float("nan") if component else float(scores.error[i]),
                curve=[] if component else curves[i],
                forward_rows=attribution.passes.forward // n,
                backward_rows=attribution.passes.backward // n,
                seconds=attribution.seconds / n,
                map_error=map_error[i],
                map_gap=map_gap[i],
                probes=probes[i],
                plan=attribution.plan,
                details=details[i],
                metric_forward_rows=passes.forward // n,
                metric_backward_rows=passes.backward // n,
                metric_equivalent_rows=passes.equivalent / n,
                metric_seconds=seconds / n,
                metric_details=canonical_json(dict(scores.details)) if scores.details and not component else "",
                notes="; ".join(filter(None, (attribution.notes[i], scores.notes[i] if scores.notes else ""))),
            )
            for component, values in parts.items()
            for i, item in enumerate(loaded.items)
        ]

    return build
