"""One call for every metric. This is the only place that knows what each base class of metrics scores.

`score` is for users. `ScoreInputs` is what it makes of its arguments; a run builds the same object, with maps and regions that it
caches, so that a score in Python and a score in a run are computed by the same lines.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from heatproof.core.errors import SettingsError, UnknownNameError, UsageError
from heatproof.core.settings import Settings
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.metrics.base import ExplainerMetric, MapMetric, ModelMetric, ReferenceMetric, RegionMetric
from heatproof.metrics.explain import Explain, bound
from heatproof.metrics.inputs import check_maps_of_images
from heatproof.metrics.metric import Metric
from heatproof.metrics.scores import Scores
from heatproof.metrics.truth_metric import TruthMetric
from heatproof.models.model import Model
from heatproof.numerics.dense import check_dense
from heatproof.passes.inputs import Target, check_images, resolve_target
from heatproof.passes.kept_passes import keeping_passes


@dataclass(frozen=True, eq=False)
class ScoreInputs:
    """The maps of a batch of images, with all that a metric of any base class may need to score them.

    model    The network that the maps explain.
    images   The images `[b, c, …]`.
    target   The class that the maps explain, one per image, or None for the model's own top-1.
    values   The raw maps `[b, c, …]`.
    explain  The method of the maps, bound to the model.
    regions  `regions()` returns the regions of the objects `[b, *places]`. Called for region and truth metrics only.
    scenes   `scenes()` returns the images without their objects `[b, c, …]`. Called for truth metrics that need them only.
    maps_of  `maps_of(method, seed)` returns the maps of another method for the same images and target. Called for a reference
             metric only.
    seed     The seed of the maps and of the metric's own random draws.
    """

    model: Model
    images: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"] | None
    values: Shaped[Tensor, "b d *space"]
    explain: Explain
    regions: Callable[[], Tensor]
    scenes: Callable[[], Tensor]
    maps_of: Callable[[Method, int], Tensor]
    seed: int

    def prepare(self, metric: Metric) -> None:
        """Compute the maps of a reference method before `score`; where they are cached, their passes count for no single score."""
        if isinstance(metric, ReferenceMetric):
            self._reference_maps(metric)

    def score(self, metric: Metric) -> Scores:
        """Call the metric with what its base class takes.

        Raises:
            UsageError: The metric has none of the five base classes.
        """
        match metric:
            case MapMetric():
                return metric.score(self.values)
            case RegionMetric():
                return metric.score(self.values, self.regions())
            case ReferenceMetric():
                return metric.score(self.values, self._reference_maps(metric))
            case ModelMetric():
                return metric.score(self.model, self.images, self.target, self.values, seed=self.seed)
            case TruthMetric():
                known = {"regions": self.regions(), "scenes": self.scenes() if metric.needs_scenes else None}
                return metric.score(self.model, self.images, self.target, self.explain, **known, seed=self.seed)
            case ExplainerMetric():
                return metric.score(self.model, self.images, self.target, self.explain, seed=self.seed)
        raise UsageError(
            f"{metric.name}: expected a MapMetric, RegionMetric, ReferenceMetric, ModelMetric or ExplainerMetric, got a "
            f"{type(metric).__name__}; give the class one of these bases"
        )

    def _reference_maps(self, metric: ReferenceMetric) -> Tensor:
        """With the seed after that of the maps, so that two stochastic methods do not share their random draws."""
        return self.maps_of(metric.reference, self.seed + 1)


def score(
    metric: Metric | str | Mapping[str, Any],
    model: Model,
    images: Float[Tensor, "b c *space"],
    maps: Attribution | Shaped[Tensor, "b d *space"] | Method | str | Mapping[str, Any],
    *,
    regions: Shaped[Tensor, "b *space"] | None = None,
    scenes: Float[Tensor, "b c *space"] | None = None,
    target: Target = None,
    seed: int | None = None,
) -> Scores:
    """Score maps by any metric, with one value per image.

    Args:
        metric: The metric, its name, or its settings as in an experiment file.
        model: The model that the maps explain.
        images: The images `[b, c, …]`, or other data: a table `[b, f]`, signals `[b, c, t]` or volumes `[b, c, d, h, w]`.
        maps: What is scored. An `Attribution` holds the maps, their target and their method. A method, its name or its settings are
            given in place of maps that are not computed yet. A tensor of raw maps `[b, c, …]` serves for maps that were made
            elsewhere, and for metrics that compute no further maps with the method.
        regions: The regions of the objects, which only metrics of localisation and of known truth use, with one value for each
            place: `[b, h, w]` of images, `[b, f]` of a table. 1 inside, 0 outside, and NaN everywhere for an image without a
            region.
        scenes: The images without their objects, NaN everywhere where there is none, which only metrics of known truth use.
        target: The class that is explained, as in `Method.attribute`. An `Attribution` has its own.
        seed: The seed of all random draws, of the metric and of the maps that it computes. None means the seed of the
            `Attribution`, and 0 where there is none.

    Raises:
        UsageError: An argument is of the wrong kind, or the metric needs one that is missing.
        TensorError: The images do not fit the model, or the maps or regions do not fit the images.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> maps = hp.methods.Gradient().attribute(model, images, target=3)
    >>> hp.score(hp.metrics.PixelFlipping(steps=4), model, images, maps).curve.shape
    torch.Size([2, 5])
    >>> hp.score("repeatability", model, images, maps).values
    tensor([1., 1.])
    >>> hp.score({"name": "similarity_to", "reference": "gradient"}, model, images, "gradient", target=3).values
    tensor([1., 1.])
    """
    chosen = _metric(metric)
    check_images(model, images)
    with keeping_passes() if isinstance(chosen, ExplainerMetric) and chosen.keeps_passes else nullcontext():
        return _scored(chosen, model, images, maps, (regions, scenes), target, seed)


def _scored(
    chosen: Metric,
    model: Model,
    images: Tensor,
    maps: Attribution | Tensor | Method | str | Mapping[str, Any],
    known: tuple[Tensor | None, Tensor | None],
    target: Target,
    seed: int | None,
) -> Scores:
    regions, scenes = known
    if isinstance(maps, Tensor):
        values, seed, explain, label = maps, seed or 0, _without_method(chosen), ""
        classes = None if target is None else resolve_target(model, images, target)
    else:
        attribution, method = _explained(model, images, maps, target, seed)
        label, values, classes, seed = (
            attribution.label,
            attribution.values,
            attribution.target,
            attribution.seed if seed is None else seed,
        )
        explain = _explain_again(attribution, images, method, model)
    check_dense(values, "maps")
    check_maps_of_images(values, images)

    def given_regions() -> Tensor:
        if regions is None:
            raise UsageError(
                f"{chosen.name}: regions: expected where the object of each image lies, [b, h, w], got None; give "
                "regions=load_regions(data, model.preprocessing.region)"
            )
        return regions

    def given_scenes() -> Tensor:
        if scenes is None:
            raise UsageError(
                f"{chosen.name}: scenes: expected the images without their objects, {list(images.shape)}, got None; give "
                "scenes=load_scenes(data, items, model.preprocessing, images)"
            )
        return scenes

    def maps_of(other: Method, other_seed: int) -> Tensor:
        return other.attribute(model, images, classes, seed=other_seed).values

    return replace(
        ScoreInputs(model, images, classes, values, explain, given_regions, given_scenes, maps_of, seed).score(chosen),
        metric=chosen.label,
        better=chosen.direction.value,
        curve_axes=chosen.axes,
        curve_at=chosen.curve_at,
        model=model.name,
        method=label,
        target=classes,
        class_names=() if classes is None else tuple(map(model.class_name, classes.tolist())),
    )


def _metric(given: Any) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, str | Mapping):
        return Metric.from_dict(given)
    raise UsageError(f"metric: expected a Metric, its name or its settings, got {_named(given)}")


def _explained(
    model: Model, images: Tensor, maps: Any, target: Target, seed: int | None
) -> tuple[Attribution, Callable[[], Method]]:
    """The attribution that was given, or that of the method that was given; and the method, which is built when it is needed."""
    if isinstance(maps, Attribution):
        if target is not None:
            raise UsageError("target: expected None beside an Attribution, which has its own target, got another; leave it out")
        return maps, cache(lambda: _method_of(maps))
    if isinstance(maps, list | tuple) or hasattr(maps, "__array__"):
        check_dense(maps, "maps")
    if not isinstance(maps, Method | str | Mapping):
        raise UsageError(
            f"maps: expected an Attribution, a torch.Tensor of raw maps, or a Method, its name or its settings, got {_named(maps)}"
        )
    method = maps if isinstance(maps, Method) else Method.from_dict(maps)
    return method.attribute(model, images, target, seed=seed or 0), lambda: method


def _method_of(attribution: Attribution) -> Method:
    try:
        return Method.from_dict(json.loads(attribution.method))
    except (SettingsError, UnknownNameError) as error:
        raise UsageError(
            f"maps: expected an Attribution whose method can be built from its settings, got {attribution.method}: {error}; give "
            "the method itself in place of its Attribution"
        ) from error


def _explain_again(attribution: Attribution, images: Tensor, method: Callable[[], Method], model: Model) -> Explain:
    """The method of an attribution, bound to the model; the attribution itself is not computed again."""

    def explain(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        same_images = other is None and torch.equal(at, images) and torch.equal(target, attribution.target)
        if same_images and (seed == attribution.seed or not method().stochastic):
            return attribution
        return bound(method(), model)(at, target, seed, other)

    return explain


def _without_method(metric: Metric) -> Explain:
    """What stands in for the method of a tensor of maps, which nothing is known of."""

    def explain(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        raise UsageError(
            f"{metric.name}: maps: expected a Method or an Attribution, since this metric computes further maps with the method, "
            "got a torch.Tensor; give the method that made it"
        )

    return explain


def _named(given: Any) -> str:
    """What an argument of the wrong kind is, with the remedy where one is known."""
    if inspect.isclass(given):
        remedy = f"; write {given.__name__}() for its default settings" if issubclass(given, Settings) else ""
        return f"the class {given.__name__}{remedy}"
    if isinstance(given, Settings):
        return f"the {given.family} {given.name}"
    return f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
