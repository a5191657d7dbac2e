"""Out of distribution: how far the changed images of a removal curve are from real images, as the network sees them.

    value = mean over the changed images z of d(z) / d₀,    d(z) = min_r ‖φ(z) − φ(r)‖,    d₀ = median_r min_{r' ≠ r} ‖φ(r) − φ(r')‖

r are real images, and φ is what the network's last layer with places is, averaged over these: what most classifiers pass to their
last layer. A value of 1 says that changed images are as near to a real image as real images are to one another; the scores of
images that are much farther say little about the image that is explained. The value belongs to a fill and to regions more than to
a map: with it, a curve is read, and fills are compared.

The `curve` is d(z) / d₀ along the curve of removal, averaged over its orders and draws. The components are the value of the clean
image, and the probability of the network's own top class, of changed images (mean) and of the clean image: confidence that falls to
that of a guess is another sign. A real image that equals the image itself is left out.

Cost: 1 forward pass, and those of the curve; those of the real images are computed once for a network.
Source: Sun, Ming, Zhu & Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022 (distance to the nearest
neighbour); Blücher, Vielhaben & Strodthoff, TMLR 2024 (a measure of how far occlusion leaves a network's scope).
Differs from the papers because the distance is relative to that between real images, so that networks and layers can be compared.
"""

import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from heatproof.core.errors import DataError, ModelError
from heatproof.core.records import Direction, Reduction
from heatproof.data import Dataset, load
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.faithfulness.removal_metric import RemovalMetric
from heatproof.metrics.faithfulness.symmetric_relevance_gain import SymmetricRelevanceGain
from heatproof.metrics.scores import Scores
from heatproof.models.classes import check_target
from heatproof.models.model import Model
from heatproof.models.scale import probabilities
from heatproof.numerics.no_gradients import no_gradients
from heatproof.numerics.wide import wide
from heatproof.passes.counting import ImageShape, PassCount, record_rows, uncounted
from heatproof.passes.forward import network_state
from heatproof.passes.removal_curves import RemovalStream
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import image_digest
from heatproof.perturb.fills.reference import Reference
from heatproof.tracing.capture import Site, capture, captured_activation, site_of

RealImages = tuple[Tensor, list[bytes]]
"""What the network sees of the real images [r, k], and their digests."""
_real_images: "weakref.WeakKeyDictionary[nn.Module, dict[Any, RealImages]]" = weakref.WeakKeyDictionary()


class OutOfDistribution(ModelMetric):
    """Distance of the changed images of a curve from real images, relative to that of real images from one another.

    references  Real images, two at least: a data set or its name, whose images are made inputs as the model says, or
                `Reference(images=…)`, in model space and shaped as the images that are explained. Without them there is no
                distance: the value is missing, and only the confidence is measured.
    removal     The metric whose changed images are measured.

    >>> import torch
    >>> from heatproof.metrics import OutOfDistribution, SymmetricRelevanceGain
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.perturb.fills import Reference
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 9 * 784).view(9, 1, 28, 28)
    >>> metric = OutOfDistribution(references=Reference(images=images[2:]), removal=SymmetricRelevanceGain(fill="white"))
    >>> scores = metric.score(model, images[:2], None, images[:2])
    >>> scores.values > scores.components["clean"]
    tensor([True, True])
    >>> OutOfDistribution(references={"name": "digits", "count": 20}).references
    Digits(count=20, part='all')
    """

    label: ClassVar[str] = "out of distribution"
    meaning: ClassVar[str] = "Distance of the changed images from real ones, relative to that of real images from one another."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_places: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("steps", "distance, relative to that between real images")
    component_meanings: ClassVar[dict[str, str]] = {
        "clean": "distance of the clean image, relative to that between real images",
        "confidence": "mean probability of the top class of the changed images",
        "clean_confidence": "probability of the top class of the clean image",
    }
    cite: ClassVar[str] = "Sun et al., ICML 2022; Blücher et al., TMLR 2024"

    references: Reference | Dataset | None = None
    removal: RemovalMetric = Field(default_factory=SymmetricRelevanceGain)

    @model_validator(mode="after")
    def _two_at_least(self) -> Self:
        known = self.references.count if isinstance(self.references, Dataset) else None
        known = len(self.references.images) if isinstance(self.references, Reference) else known
        if known is not None and known < 2:
            raise ValueError(f"references: expected at least 2 real images, got {known}; give more")
        return self

    @property
    def needs_class(self) -> bool:
        return self.removal.needs_class

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if isinstance(self.references, Dataset) and self.references.image_shape is None and model.preprocessing is None:
            raise ModelError(
                f"references: expected a model that says how photographs become inputs, got {model.name}, which does not; give it "
                "a preprocessing, or give Reference(images=…)"
            )
        self.removal.check_fits(model, image_shape)

    def cost(self, image_shape: ImageShape) -> PassCount:
        points = self.removal.n_steps(image_shape) + (self.removal.insertion and self.removal.share < 1)
        return PassCount(1 + points * len(self.removal.orders) * self.removal.fills)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, relevance, steps = self.removal.prepared(model, images, target, maps, seed)
        orders, draws = self.removal.orders, self.removal.fills
        stream = RemovalStream.of(inputs, relevance, steps, orders, draws=draws, insertion=self.removal.insertion)
        site, n = site_of(model, images), stream.n
        nearest = self._distance(model, images, site)

        def compute(image: list[int], k: list[int]) -> tuple[Tensor, Tensor]:
            masked = [(i, v) for i, v in zip(image, k, strict=True) if v < n]
            changed = images[image].clone()
            if masked:
                at, variant = (list(each) for each in zip(*masked, strict=True))
                masks = stream.masks(at, variant)
                keep = masks if inputs.groups is None else inputs.groups.present(at, masks)
                rows = [row for row, v in enumerate(k) if v < n]
                changed[rows] = inputs.filled(at, keep, stream.order.draw(at, variant))
            features, confidence = _seen(model, changed, site, target[image])
            return nearest(image, features), confidence

        distances, confidences = torch.empty(2, len(images), n + 1, dtype=torch.float64, device=images.device)
        for image, k, (distance, confidence) in variants_in_chunks(model, images, n + 1, compute, inputs.kind):
            distances[image, k], confidences[image, k] = distance, confidence
        curve = distances[:, :n].view(len(images), -1, stream.order.points).mean(1)
        clean = distances[:, n]
        curve = torch.cat([curve, clean[:, None]] if self.removal.insertion and steps.whole else [clean[:, None], curve], 1)
        narrow = wide(images).dtype
        components = {"clean": clean, "confidence": confidences[:, :n].mean(1), "clean_confidence": confidences[:, n]}
        value = distances[:, :n].mean(1)
        return Scores.of(
            torch.where(value.isfinite(), value, torch.nan).to(narrow),
            curve=curve.to(narrow),
            components={name: each.to(narrow) for name, each in components.items()},
            missing="there are no real images to compare with: give references"
            if self.references is None
            else "the real images are all alike to the network, or it answered NaN or infinity",
        )

    def _distance(self, model: Model, images: Tensor, site: Site) -> Callable[[list[int], Tensor], Tensor]:
        """The relative distance of changed images, of which it is known whose they are, to the nearest real image."""
        if self.references is None:
            return lambda image, features: features[:, 0] * torch.nan
        real, known = self.real(model, images, site, self.references)
        between = torch.cdist(real, real)
        unit = between.fill_diagonal_(torch.inf).amin(1).quantile(0.5)
        same = torch.tensor([[image_digest(image) == each for each in known] for image in images], device=real.device)

        def nearest(image: list[int], features: Tensor) -> Tensor:
            return torch.cdist(features, real).masked_fill(same[image], torch.inf).amin(1) / unit

        return nearest

    def real(self, model: Model, images: Tensor, site: Site, references: Reference | Dataset) -> RealImages:
        """φ of the real images and their digests, computed once for a network.

        Raises:
            DataError: A data set has fewer than two images that can be used, or they differ in shape from those that are explained.
            TensorError: Images that were given differ so.
        """
        network = model.engine or model.module
        key = references.digest, network_state(network), site.name, images.dtype, images.device
        kept = _real_images.setdefault(network, {})
        found = None if key[1] is None else kept.get(key)
        if found is None:
            loaded = (
                references.fitting(images) if isinstance(references, Reference) else _loaded(references, model, images.shape[1:])
            )
            real = loaded.to(images)
            with uncounted():
                parts = variants_in_chunks(model, real, 1, lambda image, _: _seen(model, real[image].clone(), site)[0], "forward")
                found = torch.cat([features for *_, features in parts]), [image_digest(each) for each in real]
            kept.clear()
            kept[key] = found
        return found


def _loaded(dataset: Dataset, model: Model, shape: torch.Size) -> Float[Tensor, "r c *space"]:
    """The images of a data set that can be used, as the network takes them."""
    loaded = load(dataset, dataset.items(), None if dataset.image_shape is not None else model.preprocessing)
    if len(loaded.items) < 2 or loaded.images.shape[1:] != shape:
        got = f"{len(loaded.items)} shaped {list(loaded.images.shape[1:])}" if len(loaded.items) else "none"
        first = f" ({loaded.refused[0]})" if loaded.refused else ""
        raise DataError(f"references: expected at least 2 images of {dataset.name}, shaped {list(shape)}, got {got}{first}")
    return loaded.images


def _seen(
    model: Model, images: Float[Tensor, "r c *space"], site: Site, target: Int[Tensor, " r"] | None = None
) -> tuple[Float[Tensor, "r k"], Float[Tensor, " r"]]:
    """φ of some images and the probability of their top class, in float64. Cost: one forward pass an image."""
    with no_gradients(), model.running(), capture(model, site) as captured:
        outputs = model.outputs(images)
    record_rows(forward=len(images))
    if target is not None:
        check_target(model, outputs, target)
    values = site.grid.of(captured_activation(captured, model)).double().flatten(2).mean(2)
    return values.clone(), probabilities(outputs.double(), model.scale or "logits").amax(1).clone()
