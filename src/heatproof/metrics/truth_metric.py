"""The base of metrics for images of which it is known what the network may use: where the object lies, and the image without it."""

from abc import ABC, abstractmethod
from copy import deepcopy
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from heatproof.core.errors import ModelError, TensorError
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import finite_maps, parse_regions
from heatproof.metrics.scores import Scores, masked
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.numerics.dense import check_dense
from heatproof.numerics.normalise import percentile_scale
from heatproof.numerics.places import per_image
from heatproof.passes.counting import uncounted
from heatproof.passes.inputs import check_images, check_needs_images, resolve_target

PERCENTILE = 99.0
"""The percentile of a map that becomes 1."""


class TruthMetric(ExplainerMetric, ABC):
    """A metric that computes further maps with the method, and knows where the object of each image lies.

    An image without a region has no score and a note says so; likewise where the region is empty or covers the whole image, and
    where the image without its object is needed and not known.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> region = torch.zeros(1, 28, 28)
    >>> region[:, 20:, 20:] = 1
    >>> scenes = images * (1 - region[:, None])
    >>> hp.score("input_dependence", model, images, "input_map", regions=region, scenes=scenes).values
    tensor([0.])
    """

    needs_images: ClassVar[bool] = True
    needs_scenes: ClassVar[bool] = False
    """Whether the metric needs each image without its object too."""

    def score(
        self,
        model: Model,
        images: Float[Tensor, "b c *space"],
        target: int | Int[Tensor, " b"] | None,
        explain: Explain,
        *,
        regions: Shaped[Tensor, "b *space"] | None = None,
        scenes: Float[Tensor, "b c *space"] | None = None,
        seed: int = 0,
    ) -> Scores:
        """Score a method on images.

        Args:
            model: The model that is explained.
            images: The images `[b, c, h, w]`.
            target: The class to explain: one class, one class per image, or None for the model's own top-1.
            explain: The method, bound to the model by `bound(method, model)`.
            regions: The regions of the objects `[b, h, w]`: 1 inside, 0 outside, and NaN everywhere for an image without one. None
                means that no image has one.
            scenes: The images without their objects `[b, c, h, w]`; NaN everywhere where there is none. None means that there are
                none.
            seed: The seed of the maps and of all random draws of the metric.

        Raises:
            UsageError: `explain` is no function, but a method or its maps.
            TensorError: The regions or the scenes do not have the size of the images, or they hold other values.
        """
        check_images(model, images)
        check_needs_images(self, images)
        if regions is None:
            regions = torch.full_like(images[:, 0], torch.nan)
        if scenes is None:
            scenes = torch.full_like(images, torch.nan)
        check_dense(scenes, "scenes")
        if scenes.shape != images.shape:
            raise TensorError(
                f"scenes: expected the images without their objects, {list(images.shape)}, got {list(scenes.shape)}; preprocess "
                "them as the images"
            )
        parsed = parse_regions(regions.to(images.device), images[:, :1])
        inside = parsed.inside
        without_scene = ~scenes.to(images.device).isfinite().flatten(1).all(1)
        at = torch.where(per_image(without_scene, images), images, scenes.to(images))

        def measure(model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
            return self.measure_truth(model, images, target, explain, inside, at.detach(), seed)

        scores = self._scored(model, images, target, explain, seed, measure)
        flat = inside.flatten(1)
        reasons = {
            "the region fills the view, so that no map can miss it": flat.all(1),
            "nothing of the region is in view": ~flat.any(1),
            "the image comes without a region": parsed.unknown,
        }
        if self.needs_scenes:
            reasons["the image comes without the same image without its object"] = without_scene
        for reason, where in reasons.items():
            scores = masked(scores, where, reason)
        return scores

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        nowhere = torch.zeros_like(images[:, 0], dtype=torch.bool)
        return self.measure_truth(model, images, target, explain, nowhere, images, seed)

    @abstractmethod
    def measure_truth(
        self,
        model: Model,
        images: Tensor,
        target: Tensor,
        explain: Explain,
        inside: Bool[Tensor, "b h w"],
        scenes: Float[Tensor, "b c h w"],
        seed: int,
    ) -> Scores:
        """Score the method. Called by `score` with the places of the object and the images without it, which are finite."""


def object_share(values: Float[Tensor, "b c h w"], inside: Bool[Tensor, "b h w"], metric: str) -> Float[Tensor, " b"]:
    """The mean of each map over the object, after the positive part of its channels is summed and scaled to [0, 1].

    The minimum becomes 0 and the 99th percentile 1, and values above are clipped. A constant map becomes 0; NaN without an object.

    >>> import torch
    >>> from heatproof.metrics.truth_metric import object_share
    >>> inside = torch.zeros(1, 4, 4, dtype=torch.bool)
    >>> inside[0, :2] = True
    >>> object_share(3 * inside[:, None].float(), inside, "example"), object_share(torch.ones(1, 1, 4, 4), inside, "example")
    (tensor([1.]), tensor([0.]))
    """
    positive = finite_maps(values, metric).clamp(min=0).sum(1)
    scaled = percentile_scale(positive, PERCENTILE)
    return (scaled * inside).flatten(1).sum(1) / inside.flatten(1).sum(1)


def exceeds(first: Float[Tensor, " b"], second: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """1 where the first number is the larger one, ½ where both are equal, 0 elsewhere; NaN where either is unknown.

    >>> import torch
    >>> from heatproof.metrics.truth_metric import exceeds
    >>> exceeds(torch.tensor([2.0, 1.0, 0.0, torch.nan]), torch.ones(4))
    tensor([1.0000, 0.5000, 0.0000,    nan])
    """
    value = (first > second).to(first) + (first == second).to(first) / 2
    return value.masked_fill(first.isnan() | second.isnan(), torch.nan)


def other_network(loader: Loader, model: Model) -> Model:
    """The network of a loader, on the device and in the type of a model whose images it takes; the same output is explained.

    Raises:
        ModelError: It was made for other images.
    """
    other = _loaded(loader.model_dump_json())
    if model.preprocessing is not None and model.preprocessing != other.preprocessing:
        raise ModelError(
            f"{other.name}: expected a network that takes the images of {model.name}, {model.preprocessing}, "
            f"got one for {other.preprocessing}; train the same architecture"
        )
    other = other.with_(output=model.output)
    if (other.device, other.dtype) == (model.device, model.dtype):
        return other
    return other.with_(module=deepcopy(other.module).to(device=model.device, dtype=model.dtype))  # the loaded one is shared


def own_decision(model: Model, images: Tensor) -> Int[Tensor, " b"]:
    """The class that a network predicts, by a forward pass that belongs to no single score and is not counted."""
    with uncounted():
        return resolve_target(model, images, None)


@lru_cache(maxsize=4)
def _loaded(settings: str) -> Model:
    return Loader.model_validate_json(settings).load()
