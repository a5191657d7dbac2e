"""The base classes of class activation maps, which are computed on the grid of a layer and interpolated to the input.

    A(x)_c = 1/C · U(M)

M [h, w] is the map on the grid, U bilinear interpolation to the size of the input (linear for signals `[b, c, t]`, trilinear for
volumes `[b, c, d, h, w]`), and C the number of channels of the input, so that the usual reduction, the signed sum over channels,
gives U(M). U treats cells as areas (corners are not aligned) and does not rescale: the sum of U(M) is about the sum of M times the
number of pixels per cell. `on_grid` returns M itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.methods.base import ZERO, Case, Explanation, MapTerms, Method
from heatproof.models.model import Model
from heatproof.numerics.wide import wide
from heatproof.partial.layer_replay import KeptActivations
from heatproof.passes.activation import activation_gradients, activations, differentiable_activation_gradient
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.from_layer import FromLayer, from_layer, images_kept_at_once, kept_activations
from heatproof.passes.inputs import Target, check_images, check_needs_images, resolve_target
from heatproof.passes.network_checks import check_network
from heatproof.perturb.draws import Draws
from heatproof.tracing.capture import Site, site_of
from heatproof.tracing.grid import Layout


class ActivationMethod(Method, ABC):
    """A method whose map lies on the grid of a layer and is interpolated to the shape of the input.

    layer   the name of a module; None selects a layer by the order of execution (see `tracing/capture.py`).
    layout  the order of the axes of the layer's output, n being positions row by row; None = what made it decides, and where
            nothing does, a message asks for it (see `tracing/grid.py`).
    relu    whether negative values of the map become zero. The default of each method is its published definition.
    """

    needs_places: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True

    zero_because: ClassVar[str] = "the channels of the layer are zero, their weights in the map are, or they cancel"

    layer: str | None = Field(default=None, min_length=1)
    layout: Layout | None = None
    relu: bool = False

    @abstractmethod
    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        """The maps on the grid before any ReLU, and a note for each image."""

    def on_grid(self, model: Model, images: Float[Tensor, "b c *space"], target: Target = None) -> Float[Tensor, "b 1 *grid"]:
        """Compute the maps on the layer's own grid, one value per cell, without interpolation.

        Args:
            model: the network, with the bounds of its input and the output that is explained.
            images: `[b, c, h, w]` in model space, or signals `[b, c, t]` or volumes `[b, c, d, h, w]`.
            target: None for the model's own top-1 class, one class for all images, or one class per image.

        Returns:
            Maps `[b, 1, grid height, grid width]`, or with the axes of the grid of a signal or volume.

        Raises:
            TensorError: The images or targets do not fit the model, or are not finite.
            SettingsError: The network has no layer of that name; the message lists those it has. Or its axes can be read in two
                ways, and `layout` does not say which.
            ModelError: No layer of the network has a grid.

        >>> import torch
        >>> from heatproof.methods import GradCam
        >>> from heatproof.models.loaders import Toy
        >>> model = Toy(architecture="cnn", width=0.1).load()
        >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
        >>> GradCam().on_grid(model, images, target=3).shape
        torch.Size([2, 1, 7, 7])
        >>> GradCam(layer="conv1").on_grid(model, images, target=3).shape
        torch.Size([2, 1, 28, 28])
        """
        check_images(model, images)
        check_needs_images(self, images)
        self.check_outputs_suffice(model, images)
        images = images.detach()
        check_network(model, images, gradients=self.cost(tuple(images.shape[1:])).backward > 0)
        with model.running():
            case = Case(model, images, resolve_target(model, images, target), Draws.for_images(0, images))
            return self._maps(case)[0][:, None].to(images.dtype)

    def explain(self, case: Case) -> Explanation:
        maps, notes = self._maps(case)
        return Explanation.plain(widened(maps, case.images).to(case.images.dtype), notes=notes)

    def _maps(self, case: Case) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        maps, notes = self.signed_maps(case)
        if not self.relu:
            return maps, notes
        positive = maps.relu()
        emptied = ((maps != 0).flatten(1).any(1) & (positive == 0).flatten(1).all(1)).tolist()
        reason = f"{ZERO}: no value of the signed map was positive, and the method's ReLU made them zero; relu=False keeps them"
        return positive, tuple("; ".join(filter(None, (note, reason * empty))) for note, empty in zip(notes, emptied, strict=True))


class GradientActivationMethod(ActivationMethod, ABC):
    """A map computed from the activation of a layer and the gradient of the score with respect to it."""

    @abstractmethod
    def combine(self, activation: Float[Tensor, "r k *grid"], gradient: Float[Tensor, "r k *grid"]) -> Float[Tensor, "r *grid"]:
        """The maps of a chunk of r images from the activation and its gradient, with k channels each."""

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        maps = [
            self.combine(wide(part.values), wide(part.gradient))
            for _, part in activation_gradients(case.model, case.images, case.target, self.layer, self.layout)
            if part.gradient is not None
        ]
        return torch.cat(maps), ("",) * len(case)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, 1)

    def terms(self) -> MapTerms:
        """One term, the whole map."""
        return MapTerms(1, self._term)

    def _term(self, clean: Case, x: Tensor, k: Sequence[int]) -> Tensor:
        site = site_of(clean.model, clean.images, self.layer, self.layout)
        activation, gradient = differentiable_activation_gradient(clean.model, x, clean.target, site)
        maps = self.combine(wide(activation.values), wide(gradient))
        return widened(maps.relu() if self.relu else maps, x)


def places(activation: Tensor) -> tuple[int, ...]:
    """The numbers of the axes of positions."""
    return tuple(range(2, activation.ndim))


def expanded(weights: Float[Tensor, "b k"], activation: Float[Tensor, "b k *grid"]) -> Tensor:
    """One factor for each channel, with the axes of the activation."""
    return weights.view(*weights.shape, *[1] * (activation.ndim - 2))


def widened(maps: Float[Tensor, "b *grid"], images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
    """Maps on a layer's grid, brought to the images' size and shared equally among their channels."""
    channels = images.shape[1]
    return (resampled(maps[:, None], images.shape[2:]) / channels).repeat(1, channels, *[1] * (images.ndim - 2))


def resampled(maps: Float[Tensor, "b k *grid"], space: Sequence[int]) -> Float[Tensor, "b k *space"]:
    """Maps on a grid, interpolated to other sizes along each axis; cells are areas, whose corners are not aligned."""
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(space)]
    return F.interpolate(maps, size=tuple(space), mode=mode, align_corners=False)


@dataclass(frozen=True)
class Channels:
    """The k channels of each image that a channel method evaluates, and the score of the unchanged image.

    site    the layer.
    index   `[b, k]` the number of each evaluated channel.
    values  `[b, k, …]` the activation of these channels.
    clean   `[b]` the explained output of the image.
    kept    what forward passes that begin at the layer read of each image; None where full forward passes are made.
    """

    site: Site
    index: Int[Tensor, "b k"]
    values: Float[Tensor, "b k *grid"]
    clean: Float[Tensor, " b"]
    kept: Sequence[KeptActivations] | None = None


class ChannelMethod(ActivationMethod, ABC):
    """A map whose channel weights need one forward pass per channel. The activations of a group of images stay in memory meanwhile.

    channels  the largest number of channels that are evaluated. Of a layer with more, those of largest norm are evaluated, and a
              note says so. The default of 2048 covers every channel of most networks.
    """

    from_layer: ClassVar[bool] = False
    """Whether the evaluated passes begin at the layer."""

    channels: PositiveInt = 2048

    @abstractmethod
    def scores(self, case: Case, channels: Channels) -> Float[Tensor, "b k"]:
        """The score of each evaluated channel of each image. Cost: one forward pass each."""

    @abstractmethod
    def weights(self, scores: Float[Tensor, "b k"], clean: Float[Tensor, " b"]) -> Float[Tensor, "b k"]:
        """The factor of each channel's activation, from the scores of the channels and of the unchanged images."""

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        found = None
        if self.from_layer:
            found = from_layer(case.model, case.images, site_of(case.model, case.images, self.layer, self.layout))
        at_once = len(case) if found is None else images_kept_at_once(case.model, case.images, found)
        groups = [case.rows(list(range(len(case)))[i : i + at_once]) for i in range(0, len(case), at_once)]
        maps, notes = zip(*(self._group_maps(group, found) for group in groups), strict=True)
        return torch.cat(maps), sum(notes, ())

    def _group_maps(self, case: Case, found: FromLayer | None) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        """The maps of images whose activations are in memory at once."""
        stream = activations if found is None else partial(kept_activations, found=found)
        parts = [part for _, part in stream(case.model, case.images, case.target, self.layer, self.layout)]
        values, clean = torch.cat([part.values for part in parts]), torch.cat([part.scores for part in parts])
        kept = [one for part in parts for one in part.kept or ()]
        n = values.shape[1]
        k = min(self.channels, n)
        index = values.flatten(2).norm(dim=2).topk(k, dim=1).indices.sort(1).values
        chosen = values[torch.arange(len(values))[:, None], index]
        weights = self.weights(self.scores(case, Channels(parts[0].site, index, chosen, clean, kept or None)), clean)
        note = f"{k} of the layer's {n} channels were evaluated, those of largest norm; channels={n} evaluates all" if k < n else ""
        return (expanded(weights, chosen) * chosen).sum(1), (note,) * len(case)

    def cost(self, image_shape: ImageShape) -> PassCount:
        """The most that an image may cost; a layer with fewer channels costs one forward pass per channel."""
        return PassCount(1 + self.channels)
