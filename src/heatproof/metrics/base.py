"""The five base classes of metrics, each with its own `score`. What they share is in `metric.py`.

There is one base class for each kind of input. `MapMetric` scores the map alone. `RegionMetric` also needs the region of the
object. `ReferenceMetric` compares the map with the map of another method. `ModelMetric` runs the network on changed images.
`ExplainerMetric` computes further maps with the method itself; `TruthMetric` (`truth_metric.py`), a sixth, is one that also knows
where the object lies and what the image is without it. No metric averages over images, and no metric imports a concrete
method.

Maps and images are `[b, c, …]`: of tables, signals, images or volumes. What is measured on a map is `[b, c, *places]`, and for a
table `[b, 1, f]` (`numerics/places.py`).

NaN policy: a map that holds NaN or infinity scores NaN, and `notes` says why. The scores of the other images of the batch do not
change.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor

from heatproof.core.errors import TensorError, UsageError
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.methods.objective import Objective
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import check_maps_of_images, check_no_more, finite_maps, parse_regions
from heatproof.metrics.metric import Metric
from heatproof.metrics.scores import Scores, best_of, masked, without_broken
from heatproof.models.classes import NO_CLASSES
from heatproof.models.model import Model
from heatproof.numerics.autocast import no_autocast
from heatproof.numerics.default_device import cpu_by_default
from heatproof.numerics.dense import check_dense
from heatproof.numerics.places import places_of
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide
from heatproof.passes.counting import ImageShape
from heatproof.passes.inputs import check_bounds, check_images, check_needs_images, resolve_target
from heatproof.passes.kept_passes import keeping_passes
from heatproof.passes.network_checks import known_model


def _prepared(metric: Metric, values: Tensor) -> Float[Tensor, "b c *places"]:
    """Reduce the channels of the maps, after replacing each map that is not finite by zeros.

    Raises:
        TensorError: They are no batch of maps, or maps of data that the metric declares that it cannot take.
    """
    finite = finite_maps(values, metric.name)
    check_needs_images(metric, finite)
    return reduce(finite, metric.reduction)


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
    @cpu_by_default()
    def score(self, values: Shaped[Tensor, "b c *space"], *others: Any) -> Scores:
        """Score raw maps `[b, c, …]`. The metric combines their channels itself, by its declared `reduction`.

        Raises:
            UsageError: There are further arguments.
        """
        check_no_more(self.name, "the raw maps alone", others)
        return without_broken(self.measure(_prepared(self, values)), values)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape))

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c *places"]) -> Scores:
        """Score finite maps whose channels are already reduced. Called by `score`; subclasses implement it."""

    def objective_value(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, *, seed: int = 0) -> Tensor:
        return self.score(maps).values


class RegionMetric(Metric, ABC):
    """A metric that compares the map with the region of the object in the image.

    The component `chance` is the score that an uninformative map can expect on that image. If the image has no region, or if the
    region is empty or covers the whole image, the score and `chance` are NaN and a note says why. If several regions are legal,
    such as any of three equal objects, each is scored and the best counts.

    >>> import torch
    >>> from heatproof.metrics import EnergyInMask
    >>> region = torch.zeros(1, 8, 8)
    >>> region[0, :4] = 1
    >>> scores = EnergyInMask().score(torch.ones(1, 3, 8, 8), region)
    >>> scores.values, scores.components["chance"]
    (tensor([0.5000]), tensor([0.5000]))
    """

    component_meanings: ClassVar[Mapping[str, str]] = {"chance": "chance: the score that an uninformative map can expect"}

    graded: ClassVar[bool] = False
    """Whether a region may be a truth by degrees: any number at each place."""
    leaves_out: ClassVar[bool] = False
    """Whether places where a region is NaN are left out, such as the padding of a graph; if not, the image counts as one without a
    region.
    """

    @no_autocast()
    @cpu_by_default()
    def score(self, values: Shaped[Tensor, "b c *space"], regions: Shaped[Tensor, "b *legal"], *others: Any) -> Scores:
        """Score raw maps against the regions of the objects.

        Args:
            values: The raw maps `[b, c, …]`.
            regions: The regions `[b, *places]`, such as `[b, h, w]`: 1 inside, 0 outside, and NaN everywhere for an image without a
                region; or m legal regions of each image, `[b, m, *places]`.
            others: Refused; see `heatproof.score`.

        Raises:
            TensorError: The regions do not have the size of the maps, or they hold other values.
        """
        check_no_more(self.name, "the raw maps and the regions", others)
        maps = _prepared(self, values)
        check_dense(regions, "regions")
        legal = regions.unbind(1) if regions.ndim == maps.ndim and regions.shape[1] else [regions]
        return without_broken(best_of([self._against(maps, each) for each in legal], self.better), values)

    def _against(self, maps: Float[Tensor, "b c *places"], regions: Tensor) -> Scores:
        """Score prepared maps against one region of each."""
        parsed = parse_regions(regions, maps, graded=self.graded, leaves_out=self.leaves_out)
        hits = self.hit_area(parsed.inside)
        flat = hits.flatten(1)
        even = ((flat == flat.gather(1, parsed.first)) | parsed.left_out.flatten(1)).all(1)
        scores = self.measure(maps.masked_fill(parsed.left_out[:, None], torch.nan), hits)
        scores = replace(scores, components={**scores.components, "chance": self.chance(flat).to(maps.dtype)})
        for reason, where in {
            "": scores.values.isnan(),
            "the region fills the view, so that no map can miss it": even & flat.any(1),
            "nothing of the region is in view": even & ~flat.any(1),
            "the image comes without a region": parsed.unknown,
        }.items():
            scores = masked(scores, where, reason)
        return scores

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape), torch.zeros(1, *places_of(image_shape)))

    def hit_area(self, inside: Shaped[Tensor, "b *places"]) -> Shaped[Tensor, "b *places"]:
        """Return the places that count as the object, given those inside the region; by default all of these."""
        return inside

    def chance(self, hits: Shaped[Tensor, "b n"]) -> Float[Tensor, " b"]:
        """Return the score that an uninformative map can expect, in float64; by default the share of the places that count."""
        return hits.double().mean(1)

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c *places"], hits: Shaped[Tensor, "b *places"]) -> Scores:
        """Score reduced maps against the places that count as the object, or against a truth by degrees. Called by `score`.

        Maps are finite, but NaN at the places that the metric leaves out.
        """


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
    @cpu_by_default()
    def score(self, values: Shaped[Tensor, "b c *space"], others: Shaped[Tensor, "b c *space"], *further: Any) -> Scores:
        """Score raw maps against raw maps of the reference method.

        Args:
            values: The raw maps `[b, c, …]`.
            others: The raw maps of the reference method; after the reduction of channels they have the same size.
            further: Refused; see `heatproof.score`.

        Raises:
            TensorError: The reduced maps have different sizes.
        """
        check_no_more(self.name, "the raw maps and those of the reference method", further)
        maps = _prepared(self, values)
        references = _prepared(self, others).to(maps)
        if maps.shape != references.shape:
            raise TensorError(f"maps: expected maps of one size, got {list(maps.shape)} and {list(references.shape)}")
        return without_broken(self.measure(maps, references), values, others)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.score(torch.zeros(1, *image_shape), torch.zeros(1, *image_shape))

    @abstractmethod
    def measure(self, maps: Float[Tensor, "b c *places"], others: Float[Tensor, "b c *places"]) -> Scores:
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

    def work(self, model: Model, images: Float[Tensor, "b c *space"]) -> float:
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
            images: The images `[b, c, …]`.
            target: The class that the maps explain: one class, one class per image, or None for the model's own top-1.
            values: The raw maps, with one map per image and the places of the images.
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
        maps = _prepared(self, values.to(images.device))
        with model.running():
            classes = resolve_target(model, images, target)
            if self.needs_class and bool((classes < 0).any()):
                scores = Scores.of(torch.full_like(classes, torch.nan, dtype=images.dtype), missing=NO_CLASSES)
            else:
                scores = self.measure(model, images.detach(), classes, maps, seed)
        return without_broken(scores, values)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Float[Tensor, "b c *places"], seed: int) -> Scores:
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
            images: The images `[b, c, …]`.
            target: The class to explain: one class, one class per image, or None for the model's own top-1.
            explain: The method, bound to the model by `bound(method, model)`.
            seed: The seed of the maps and of all random draws of the metric.

        Raises:
            UsageError: `explain` is no function, but a method or its maps.
        """
        return self._scored(model, images, target, explain, seed, self.measure)

    def _scored(
        self,
        model: Model,
        images: Tensor,
        target: int | Tensor | None,
        explain: Explain,
        seed: int,
        measure: Callable[[Model, Tensor, Tensor, Explain, int], Scores],
    ) -> Scores:
        """Check the arguments of `score` and call `measure` with them, with the class of each image and maps of a wide type."""
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
            return measure(model, images.detach(), resolve_target(model, images, target), explain_widely, seed)

    @abstractmethod
    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        """Score the method. Called by `score`; subclasses pass the maps they use through `without_broken`."""
