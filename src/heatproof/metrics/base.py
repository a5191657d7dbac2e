"""What every metric is: frozen settings, declared facts, and one call that returns a value per sample.

Bases by need: `MapMetric` looks at the map alone; `RegionMetric` also at where the object lies; `ReferenceMetric` also at the map
of another method; `ModelMetric` runs the network on changed images; `ExplainerMetric` asks the method for further maps. No metric
averages over images, and none knows a concrete method.

NaN policy: a map with a value that is not finite scores NaN and says so in `notes`; its batch-mates are not touched.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction, Reduction
from heatproof.core.settings import Settings
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.methods.objective import Objective
from heatproof.models.model import Model
from heatproof.numerics.finite import finite
from heatproof.numerics.reduce import reduce
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import check_images, resolve_target


@runtime_checkable
class Explain(Protocol):
    """A method bound to its model."""

    def __call__(self, images: Tensor, target: Tensor, seed: int, model: Model | None = None, /) -> Attribution:
        """Maps of these images; with a model given, the same method's maps of that network."""


def bound(method: Method, model: Model) -> Explain:
    """The method bound to a model."""

    def explain(images: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        return method.attribute(other or model, images, target, seed=seed)

    return explain


@dataclass(frozen=True, eq=False)
class Scores:
    """One value per sample.

    values      `[b]` the headline number.
    error       `[b]` Monte Carlo standard error of the value; NaN where nothing was sampled.
    curve       `[b, p]` the points behind the value, where there are any.
    components  further numbers per sample, by name.
    details     what else there is to tell of all samples, as plain JSON values.
    maps        `[b, c, h, w]` further maps that the score is made of, by name, for a picture.
    notes       one text per sample: "" or why its value is NaN.
    """

    values: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    curve: Float[Tensor, "b p"] | None = None
    components: Mapping[str, Float[Tensor, " b"]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Float[Tensor, "b c h w"]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        values: Float[Tensor, " b"],
        *,
        error: Tensor | None = None,
        curve: Tensor | None = None,
        components: Mapping[str, Tensor] | None = None,
        details: Mapping[str, Any] | None = None,
        maps: Mapping[str, Tensor] | None = None,
        missing: str = "",
    ) -> "Scores":
        """Scores whose NaN values carry the note `missing`."""
        notes = tuple(missing if bad else "" for bad in values.isnan().tolist())
        unknown = torch.full_like(values, torch.nan)
        return cls(values, unknown if error is None else error, curve, components or {}, details or {}, maps or {}, notes)


class Metric(Settings, ABC):
    """Settings and facts shared by all metrics. Facts are declared once; reports, tables and tests read them from here."""

    home: ClassVar[str] = "heatproof.metrics"
    family: ClassVar[str] = "metric"

    label: ClassVar[str]
    """Short name for a table's head."""
    meaning: ClassVar[str]
    """One sentence for a reader who has never met the metric."""
    better: ClassVar[Direction]
    bounds: ClassVar[tuple[float, float]]
    reduction: ClassVar[Reduction]
    """How the raw map's channels become what is scored."""
    scale_invariant: ClassVar[bool] = False
    """Whether the score is the same for c·map, c > 0."""
    curve_axes: ClassVar[tuple[str, str] | None] = None
    component_meanings: ClassVar[Mapping[str, str]] = {}
    cite: ClassVar[str] = ""

    @property
    def direction(self) -> Direction:
        """Which way is better, under these settings."""
        return self.better

    def cost(self, image_shape: ImageShape) -> PassCount:
        """Rows of the network that scoring one map costs, apart from further maps."""
        return PassCount()

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        """Rows an image that serve all methods, by names under which metrics share them."""
        return {}

    def price(self, image_shape: ImageShape) -> str:
        """What one score costs beyond the map, in words."""
        maps, forward = self.explanations(), self.cost(image_shape).forward
        rows = f"{forward} forward" if forward else ""
        return ", ".join(filter(None, (rows, f"{maps} more map{'s' * (maps > 1)}" if maps else ""))) or "none"

    def explanations(self, stochastic: bool = True) -> int:
        """Further maps, at most, that are asked of a method for each map scored, one that draws or one that does not."""
        return 0

    @property
    def axes(self) -> tuple[str, str] | None:
        """What the curve is against, and of, under these settings."""
        return self.curve_axes

    @property
    def curve_at(self) -> tuple[float, ...]:
        """Where on their axis the points of the curve lie; 0, 1, 2 and so on where none are given."""
        return ()

    @property
    def asks(self) -> str:
        """Metrics with one such name ask for the same further maps, which are made once for all of them."""
        return self.digest


class MapMetric(Metric, Objective, ABC):
    """Scores the map alone."""

    def score(self, values: Float[Tensor, "b c h w"]) -> Scores:
        """Score raw maps `[b, c, h, w]`; the declared reduction is applied here."""
        return without_broken(self.measure(_prepare(values, self.reduction)), values)

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"]) -> Scores:
        """Score reduced, finite maps."""

    def worth(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, *, seed: int = 0) -> Tensor:
        return self.score(maps).values


class RegionMetric(Metric, ABC):
    """Scores the map by where the object lies.

    Beside each value stands `chance`: what a map that knows nothing can expect on that image. Where the image has no region, or one
    that leaves nothing to find, both are NaN and a note says why.
    """

    component_meanings: ClassVar[Mapping[str, str]] = {"chance": "chance: what a map that knows nothing scores"}

    def score(self, values: Float[Tensor, "b c h w"], regions: Float[Tensor, "b h w"] | Bool[Tensor, "b h w"]) -> Scores:
        """Score raw maps by regions of the same size: 1 inside, 0 outside, NaN all over where an image has none.

        Raises:
            TensorError: Regions that are not shaped as the maps, or hold other values.
        """
        maps = _prepare(values, self.reduction)
        unknown, inside = _read(regions, maps)
        found = self.found(inside)
        flat = found.flatten(1)
        scores = self.measure(maps, found)
        scores = replace(scores, components={**scores.components, "chance": flat.double().mean(1).to(maps.dtype)})
        for reason, where in {
            "": scores.values.isnan(),
            "the region fills the view, so that no map can miss it": flat.all(1),
            "nothing of the region is in view": ~flat.any(1),
            "the image comes without a region": unknown,
        }.items():
            scores = _blanked(scores, where, reason)
        return without_broken(scores, values)

    def found(self, inside: Bool[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
        """The pixels that count as the object."""
        return inside

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"], found: Bool[Tensor, "b h w"]) -> Scores:
        """Score reduced, finite maps."""


class ReferenceMetric(Metric, ABC):
    """Scores the map by the map that another method makes of the same image and class.

    Whoever scores makes that map, with the seed after the map's own: where both draw, they must not share their draws.
    """

    reference: Method = Field(default_factory=lambda: Method.from_dict({"name": "gradient"}))

    def price(self, image_shape: ImageShape) -> str:
        return "the other map, once an image"

    def score(self, values: Float[Tensor, "b c h w"], others: Float[Tensor, "b c h w"]) -> Scores:
        """Score raw maps by raw maps of the reference.

        Raises:
            TensorError: Maps of two sizes.
        """
        maps, references = _prepare(values, self.reduction), _prepare(others.to(values), self.reduction)
        if maps.shape != references.shape:
            raise TensorError(f"maps: expected maps of one size, got {list(maps.shape)} and {list(references.shape)}")
        return without_broken(self.measure(maps, references), values, others)

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"], others: Float[Tensor, "b c h w"]) -> Scores:
        """Score reduced, finite maps."""


class ModelMetric(Metric, Objective, ABC):
    """Scores the map by running the network on changed images."""

    def work(self, model: Model, images: Float[Tensor, "b c h w"]) -> float:
        """Forward rows in work, at most, of scoring one map of each of these images: a row counts as what is computed of it."""
        return len(images) * self.cost(tuple(images.shape[1:])).forward

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        target: int | Int[Tensor, " b"] | None,
        values: Float[Tensor, "b c h w"],
        *,
        seed: int = 0,
    ) -> Scores:
        """Score raw maps of these images for this target. All randomness comes from (seed, image, draw number).

        Raises:
            TensorError: Maps that are not shaped as the images, or images that do not fit the model.
        """
        check_images(model, images)
        if values.shape[0] != images.shape[0] or values.shape[2:] != images.shape[2:]:
            raise TensorError(f"maps: expected one per image and the images' size {list(images.shape)}, got {list(values.shape)}")
        maps = _prepare(values.to(images), self.reduction)
        with model.running():
            scores = self.measure(model, images.detach(), resolve_target(model, images, target), maps, seed)
        return without_broken(scores, values)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Float[Tensor, "b c h w"], seed: int) -> Scores:
        """Score reduced, finite maps."""

    def worth(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, *, seed: int = 0) -> Tensor:
        return self.score(model, images, target, maps, seed=seed).values


class ExplainerMetric(Metric, ABC):
    """Scores the method by asking it for further maps."""

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c *space"],
        target: int | Int[Tensor, " b"] | None,
        explain: Explain,
        *,
        seed: int = 0,
    ) -> Scores:
        """Score a method bound to its model. `explain(images, target, seed)` returns its `Attribution`."""
        check_images(model, images)
        with torch.inference_mode(False), model.running():
            return self.measure(model, images.detach(), resolve_target(model, images, target), explain, seed)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        """Score the method, its broken maps `without_broken`."""


def without_broken(scores: Scores, *maps: Tensor) -> Scores:
    """The NaN policy: samples of which a map is not finite score NaN, with a note; the others are left as they are."""
    broken = torch.stack([_broken(values) for values in maps]).any(0)
    return _blanked(scores, broken, "the map holds NaN or infinity")


def _blanked(scores: Scores, where: Tensor, reason: str) -> Scores:
    """NaN in every number of the samples where so, and the reason, if one is given, in their notes."""
    if not bool(where.any()):
        return scores
    nan = torch.nan
    return replace(
        scores,
        values=scores.values.masked_fill(where, nan),
        error=scores.error.masked_fill(where, nan),
        curve=None if scores.curve is None else scores.curve.masked_fill(where[:, None], nan),
        components={key: value.masked_fill(where, nan) for key, value in scores.components.items()},
        notes=tuple(reason or note if bad else note for bad, note in zip(where.tolist(), scores.notes, strict=True)),
    )


def _broken(values: Tensor) -> Tensor:
    return ~finite(values)


def _prepare(values: Tensor, reduction: Reduction) -> Tensor:
    """Reduced maps, with zeros in place of broken ones."""
    if values.ndim != 4:
        raise TensorError(
            f"maps: expected raw maps [b, c, h, w], got {list(values.shape)}; one map needs a batch axis, values[None]"
        )
    keep = ~_broken(values).view(-1, 1, 1, 1)
    return reduce(torch.where(keep, values, torch.zeros_like(values)), reduction)


def _read(regions: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Which samples have no region, and which pixels lie inside."""
    if regions.shape != maps[:, 0].shape:
        raise TensorError(
            f"regions: expected one per map and the maps' size {list(maps[:, 0].shape)}, got {list(regions.shape)}; "
            "crop them as the images were: load_regions(data, model.preprocessing.region)"
        )
    regions = regions.to(maps)
    strange = ~(regions.isnan() | (regions == 0) | (regions == 1))
    if bool(strange.any()):
        raise TensorError(
            f"regions: expected 1 inside, 0 outside and NaN where there is none, got {regions[strange][0].item():g}; "
            "choose a threshold: mask > 0.5"
        )
    unknown = regions.isnan().flatten(1).any(1)
    return unknown, (regions == 1) & ~unknown[:, None, None]
