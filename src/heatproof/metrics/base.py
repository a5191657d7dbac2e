"""Base classes of all metrics. A metric has frozen settings, declared class facts, and a `score` method with one value per image.

There is one base class for each kind of input. `MapMetric` scores the map alone. `RegionMetric` also needs the region of the
object. `ReferenceMetric` compares the map with the map of another method. `ModelMetric` runs the network on changed images.
`ExplainerMetric` computes further maps with the method itself. No metric averages over images, and no metric imports a concrete
method.

NaN policy: a map that holds NaN or infinity scores NaN, and `notes` says why. The scores of the other images of the batch do not
change.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int, Shaped
from pydantic import Field
from torch import Tensor

from heatproof.core.errors import TensorError, UsageError
from heatproof.core.records import Direction, Reduction
from heatproof.core.settings import Settings
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.methods.objective import Objective
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import check_maps_of_images, finite_maps, parse_regions
from heatproof.metrics.scores import Scores, masked, without_broken
from heatproof.models.classes import NO_CLASSES
from heatproof.models.model import Model
from heatproof.numerics.autocast import no_autocast
from heatproof.numerics.dense import check_dense
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import check_bounds, check_images, check_needs_images, resolve_target
from heatproof.passes.kept_passes import keeping_passes
from heatproof.passes.network_checks import known_model


class Metric(Settings, ABC):
    """The settings and class facts that all metrics share. Reports, tables and tests read the facts from here.

    >>> from heatproof.metrics import Metric
    >>> metric = Metric.from_dict({"name": "perturbation_curve", "order": "least"})
    >>> metric.label, metric.direction.value
    ('AUPC', 'higher')
    """

    home: ClassVar[str] = "heatproof.metrics"
    family: ClassVar[str] = "metric"

    label: ClassVar[str]
    """The short name of the metric in the heading of a table."""
    meaning: ClassVar[str]
    """One sentence that explains the score to a reader who does not know the metric."""
    better: ClassVar[Direction]
    """Whether a higher or a lower score is better under the default settings."""
    bounds: ClassVar[tuple[float, float]]
    """The smallest and the largest possible score."""
    reduction: ClassVar[Reduction]
    """How the channels of the raw map are combined before the map is scored."""
    scale_invariant: ClassVar[bool] = False
    """Whether multiplying the map by a positive number leaves the score unchanged."""
    needs_images: ClassVar[bool] = True
    """Whether the metric needs images `[b, c, h, w]`, and refuses tables `[b, f]` and signals `[b, c, t]`."""
    needs_bounds: ClassVar[bool] = False
    """Whether the metric makes sense only for images in the units of the model's bounds; images in other units are refused."""
    curve_axes: ClassVar[tuple[str, str] | None] = None
    """The names of the horizontal and the vertical axis of the curve, or None if the metric has no curve."""
    component_meanings: ClassVar[Mapping[str, str]] = {}
    """The meaning of each component of the scores, by name."""
    cite: ClassVar[str] = ""
    """The publication that the metric comes from."""

    @property
    def direction(self) -> Direction:
        """Whether a higher or a lower score is better under these settings."""
        return self.better

    def _prepared(self, values: Tensor) -> Float[Tensor, "b c h w"]:
        """Reduce the channels of the maps, after replacing each map that is not finite by zeros."""
        return reduce(finite_maps(values, self.name), self.reduction)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        """Check that maps of this network on images of this shape can be scored, before any map is computed.

        A run calls it before its first unit, and by default there is nothing to check.

        Args:
            model: The network.
            image_shape: The shape `(c, h, w)` of its images.

        Raises:
            SettingsError: The settings do not fit images of this shape.
            ModelError: They do not fit the network.
        """
        return

    def cost(self, image_shape: ImageShape) -> PassCount:
        """Return the passes that scoring one map costs, without the passes of further maps."""
        return PassCount()

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        """Return the passes per image that are run once for all methods, by the key under which metrics share them."""
        return {}

    def price(self, image_shape: ImageShape) -> str:
        """The cost of one score in words, without the cost of the map itself."""
        maps, forward = self.explanations(), self.cost(image_shape).forward
        passes = f"{forward:,} forward pass{'es' * (forward > 1)}" if forward else ""
        return ", ".join(filter(None, (passes, f"{maps} more map{'s' * (maps > 1)}" if maps else ""))) or "none"

    def explanations(self, stochastic: bool = True) -> int:
        """Return the largest number of further maps that one score needs, of a stochastic or of a deterministic method."""
        return 0

    @property
    def axes(self) -> tuple[str, str] | None:
        """The names of the horizontal and the vertical axis of the curve under these settings, or None without a curve."""
        return self.curve_axes

    @property
    def curve_at(self) -> tuple[float, ...]:
        """The positions of the points of the curve on the horizontal axis; empty means 0, 1, 2 and so on."""
        return ()

    @property
    def cache_key(self) -> str:
        """The key of the further maps: metrics with equal keys use the same further maps, so these are computed once for all."""
        return self.digest


class MapMetric(Metric, Objective, ABC):
    """A metric that scores the map alone.

    >>> import torch
    >>> from heatproof.metrics import Sparseness
    >>> maps = torch.zeros(1, 3, 8, 8)
    >>> maps[0, :, 3, 4] = 1.0
    >>> Sparseness().score(maps).values
    tensor([0.9844])
    """

    @no_autocast()
    def score(self, values: Shaped[Tensor, "b c *space"]) -> Scores:
        """Score raw maps `[b, c, h, w]`. The metric combines their channels itself, by its declared `reduction`."""
        return without_broken(self.measure(self._prepared(values)), values)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape))

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"]) -> Scores:
        """Score finite maps whose channels are already reduced. Called by `score`; subclasses implement it."""

    def objective_value(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, *, seed: int = 0) -> Tensor:
        return self.score(maps).values


class RegionMetric(Metric, ABC):
    """A metric that compares the map with the region of the object in the image.

    The component `chance` is the score that an uninformative map can expect on that image. If the image has no region, or if the
    region is empty or covers the whole image, the score and `chance` are NaN and a note says why.

    >>> import torch
    >>> from heatproof.metrics import EnergyInMask
    >>> region = torch.zeros(1, 8, 8)
    >>> region[0, :4] = 1
    >>> scores = EnergyInMask().score(torch.ones(1, 3, 8, 8), region)
    >>> scores.values, scores.components["chance"]
    (tensor([0.5000]), tensor([0.5000]))
    """

    component_meanings: ClassVar[Mapping[str, str]] = {"chance": "chance: the score that an uninformative map can expect"}

    @no_autocast()
    def score(self, values: Shaped[Tensor, "b c *space"], regions: Shaped[Tensor, "b *space"]) -> Scores:
        """Score raw maps against the regions of the objects.

        Args:
            values: The raw maps `[b, c, h, w]`.
            regions: The regions `[b, h, w]`: 1 inside, 0 outside, and NaN everywhere for an image without a region.

        Raises:
            TensorError: The regions do not have the size of the maps, or they hold other values.
        """
        maps = self._prepared(values)
        unknown, inside = parse_regions(regions, maps)
        hits = self.hit_area(inside)
        flat = hits.flatten(1)
        scores = self.measure(maps, hits)
        scores = replace(scores, components={**scores.components, "chance": flat.double().mean(1).to(maps.dtype)})
        for reason, where in {
            "": scores.values.isnan(),
            "the region fills the view, so that no map can miss it": flat.all(1),
            "nothing of the region is in view": ~flat.any(1),
            "the image comes without a region": unknown,
        }.items():
            scores = masked(scores, where, reason)
        return without_broken(scores, values)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape), torch.zeros(1, *image_shape[1:]))

    def hit_area(self, inside: Bool[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
        """Return the pixels that count as the object, given the pixels inside the region; by default they are the same."""
        return inside

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"], hits: Bool[Tensor, "b h w"]) -> Scores:
        """Score finite, reduced maps against the pixels that count as the object. Called by `score`."""


class ReferenceMetric(Metric, ABC):
    """A metric that compares the map with the map of another method, for the same image and class.

    The caller computes the maps of `reference` and passes them to `score`. It uses the seed after the map's own seed, so that two
    stochastic methods do not share their random draws.

    reference  The other method.

    >>> import torch
    >>> from heatproof.metrics import SimilarityTo
    >>> maps = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    >>> SimilarityTo(similarity="spearman").score(maps, 2 * maps).values
    tensor([1.])
    """

    reference: Method = Field(default_factory=lambda: Method.from_dict({"name": "gradient"}))

    def price(self, image_shape: ImageShape) -> str:
        return "the map of the other method, once per image"

    @no_autocast()
    def score(self, values: Shaped[Tensor, "b c *space"], others: Shaped[Tensor, "b c *space"]) -> Scores:
        """Score raw maps against raw maps of the reference method.

        Args:
            values: The raw maps `[b, c, h, w]`.
            others: The raw maps of the reference method; after the reduction of channels they have the same size.

        Raises:
            TensorError: The reduced maps have different sizes.
        """
        maps = self._prepared(values)
        references = self._prepared(others).to(maps)
        if maps.shape != references.shape:
            raise TensorError(f"maps: expected maps of one size, got {list(maps.shape)} and {list(references.shape)}")
        return without_broken(self.measure(maps, references), values, others)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape), torch.zeros(1, *image_shape))

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c h w"], others: Float[Tensor, "b c h w"]) -> Scores:
        """Score finite, reduced maps against those of the reference method. Called by `score`."""


class ModelMetric(Metric, Objective, ABC):
    """A metric that runs the network on images that are changed according to the map.

    >>> import torch
    >>> from heatproof.metrics import PixelFlipping
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = PixelFlipping(steps=4).score(model, images, None, images)
    >>> scores.values.shape, scores.curve.shape
    (torch.Size([2]), torch.Size([2, 5]))
    """

    @property
    def needs_class(self) -> bool:
        """Whether the score is about a class under these settings, so that it is NaN where the explained output depends on none."""
        return False

    def work(self, model: Model, images: Float[Tensor, "b c h w"]) -> float:
        """Return the largest cost of scoring one map of each image, in full-forward equivalents.

        A forward pass that recomputes only part of the network counts as the share of the operations that it computes.
        """
        return len(images) * self.cost(tuple(images.shape[1:])).forward

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c *space"],
        target: int | Int[Tensor, " b"] | None,
        values: Shaped[Tensor, "b c *space"],
        *,
        seed: int = 0,
    ) -> Scores:
        """Score raw maps of images.

        Args:
            model: The model that the maps explain.
            images: The images `[b, c, h, w]`.
            target: The class that the maps explain: one class, one class per image, or None for the model's own top-1.
            values: The raw maps, with one map per image and the height and width of the images.
            seed: The seed. A random draw depends only on the seed, the content of the image and the number of the draw.

        Raises:
            TensorError: The maps do not have the size of the images, or the images do not fit the model.
        """
        check_images(model, images)
        check_needs_images(self, images)
        check_bounds(self, model, images)
        model = known_model(model, images, gradients=False)
        check_dense(values, "maps")
        check_maps_of_images(values, images)
        maps = self._prepared(values.to(images.device))
        with model.running():
            classes = resolve_target(model, images, target)
            if self.needs_class and bool((classes < 0).any()):
                scores = Scores.of(torch.full_like(classes, torch.nan, dtype=images.dtype), missing=NO_CLASSES)
            else:
                scores = self.measure(model, images.detach(), classes, maps, seed)
        return without_broken(scores, values)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Float[Tensor, "b c h w"], seed: int) -> Scores:
        """Score finite, reduced maps. Called by `score` with the class of each image `[b]`."""

    def objective_value(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, *, seed: int = 0) -> Tensor:
        return self.score(model, images, target, maps, seed=seed).values


class ExplainerMetric(Metric, ABC):
    """A metric that scores a method by computing further maps with it, for example of changed images or networks.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import Repeatability
    >>> from heatproof.metrics.explain import bound
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> Repeatability().score(model, images, None, bound(EdgeMap(), model)).values
    tensor([1., 1.])
    """

    keeps_passes: ClassVar[bool] = False
    """Whether its maps are of the same images, for other classes or for networks with some of the same weights, so that passes need
    not be computed anew (see `passes/kept_passes.py`).
    """

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c *space"],
        target: int | Int[Tensor, " b"] | None,
        explain: Explain,
        *,
        seed: int = 0,
    ) -> Scores:
        """Score a method on images.

        Args:
            model: The model that is explained.
            images: The images `[b, c, h, w]`.
            target: The class to explain: one class, one class per image, or None for the model's own top-1.
            explain: The method, bound to the model by `bound(method, model)`.
            seed: The seed of the maps and of all random draws of the metric.

        Raises:
            UsageError: `explain` is no function, but a method or its maps.
        """
        check_images(model, images)
        if not callable(explain):
            raise UsageError(
                f"{self.name}: explain: expected a function that explains images, got a {type(explain).__name__}; make one by "
                "bound(method, model), or call heatproof.score(metric, model, images, method), which takes any"
            )
        check_needs_images(self, images)
        check_bounds(self, model, images)
        model = known_model(model, images, gradients=False)

        def explain_widely(*at: Any) -> Attribution:
            attribution = explain(*at)
            values = wide(attribution.values)
            return attribution if values is attribution.values else replace(attribution, values=values)

        with torch.inference_mode(False), model.running(), keeping_passes() if self.keeps_passes else nullcontext():
            return self.measure(model, images.detach(), resolve_target(model, images, target), explain_widely, seed)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        """Score the method. Called by `score`; subclasses pass the maps they use through `without_broken`."""
