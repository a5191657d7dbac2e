"""What every class activation map is: a map on a layer's own grid, brought to the input.

    A(x)_c = 1/C · U(M)

M [h, w] the map on the grid, U bilinear interpolation to the input's size, C channels of the input: the signed sum over the input's
channels, which is the usual reduction, is U(M). U takes cells as areas (corners are not aligned) and does not scale: its sum is
about the number of pixels a cell times that of M. `on_grid` gives M itself.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.methods.base import ZERO, Case, Explanation, Method
from heatproof.models.model import Model
from heatproof.passes.activation import activation_gradients, activations
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import Target, check_images, resolve_target
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import Draws
from heatproof.tracing.capture import Site


class ActivationMethod(Method, ABC):
    """A map on the grid of a layer, and its way to the input's shape.

    layer  name of a module; None = chosen by execution (see `tracing/capture.py`).
    relu   whether the map's negative values become zero, as the published definition says or not.
    """

    layer: str | None = Field(default=None, min_length=1)
    relu: bool = False

    @abstractmethod
    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b h w"], tuple[str, ...]]:
        """Maps on the grid before any ReLU, and what there is to say of each."""

    def on_grid(self, model: Model, images: Float[Tensor, "b c h w"], target: Target = None) -> Float[Tensor, "b 1 gh gw"]:
        """Maps on the layer's own grid, where nothing is interpolated: one value a cell.

        Raises:
            TensorError: Images or targets that do not fit the model, or are not finite.
            SettingsError: No such layer; the message lists those there are.
            ModelError: No layer of the network has a grid.
        """
        check_images(model, images)
        images = images.detach()
        with model.running():
            case = Case(model, images, resolve_target(model, images, target), Draws.for_images(0, images))
            return self._maps(case)[0][:, None]

    def explain(self, case: Case) -> Explanation:
        maps, notes = self._maps(case)
        channels, space = case.images.shape[1], case.images.shape[2:]
        wide = F.interpolate(maps[:, None], size=tuple(space), mode="bilinear", align_corners=False)
        return Explanation.plain((wide / channels).repeat(1, channels, 1, 1), notes=notes)

    def _maps(self, case: Case) -> tuple[Float[Tensor, "b h w"], tuple[str, ...]]:
        if case.images.ndim != 4:
            raise TensorError(
                f"{self.name}: expected images [b, c, h, w], got {list(case.images.shape)}; use a gradient method for other data"
            )
        maps, notes = self.signed_maps(case)
        if not self.relu:
            return maps, notes
        positive = maps.relu()
        emptied = ((maps != 0).flatten(1).any(1) & (positive == 0).flatten(1).all(1)).tolist()
        said = f"{ZERO}: no value of the signed map was positive, and the method's ReLU made them zero; relu=False keeps them"
        return positive, tuple("; ".join(filter(None, (note, said * gone))) for note, gone in zip(notes, emptied, strict=True))


class GradientActivationMethod(ActivationMethod, ABC):
    """A map made of the layer's activation and the score's gradient with respect to it."""

    @abstractmethod
    def combine(self, activation: Float[Tensor, "r k h w"], gradient: Float[Tensor, "r k h w"]) -> Float[Tensor, "r h w"]:
        """The maps of a chunk of rows, k channels each."""

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b h w"], tuple[str, ...]]:
        found = [
            self.combine(part.values, part.gradient)
            for _, part in activation_gradients(case.model, case.images, case.target, self.layer)
            if part.gradient is not None
        ]
        return torch.cat(found), ("",) * len(case)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, 1)


@dataclass(frozen=True)
class Channels:
    """The channels of each image that are asked about, k of them, and the clean score."""

    site: Site
    index: Int[Tensor, "b k"]
    values: Float[Tensor, "b k h w"]
    clean: Float[Tensor, " b"]


class ChannelMethod(ActivationMethod, ABC):
    """A map whose weights come from one forward row a channel. The activations of the whole batch are kept meanwhile.

    channels  most channels that are asked about; of a layer with more, those of largest norm, and a note says so.
    """

    channels: PositiveInt = 2048

    @abstractmethod
    def score(self, case: Case, channels: Channels, sample: list[int], k: list[int]) -> Float[Tensor, " r"]:
        """Row r asks about the k[r]-th of the channels of image sample[r]. Cost: one forward row each."""

    @abstractmethod
    def weights(self, scores: Float[Tensor, "b k"], clean: Float[Tensor, " b"]) -> Float[Tensor, "b k"]:
        """What the channels' activations are multiplied by."""

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b h w"], tuple[str, ...]]:
        parts = [part for _, part in activations(case.model, case.images, case.target, self.layer)]
        values, clean = torch.cat([part.values for part in parts]), torch.cat([part.scores for part in parts])
        n = values.shape[1]
        k = min(self.channels, n)
        index = values.flatten(2).norm(dim=2).topk(k, dim=1).indices.sort(1).values
        kept = Channels(parts[0].site, index, values[torch.arange(len(values))[:, None], index], clean)
        weights = self.weights(self._scores(case, kept, k), clean)
        note = (
            f"{k} of the layer's {n} channels were asked about, those of largest norm; channels={n} asks about all" if k < n else ""
        )
        return (weights[:, :, None, None] * kept.values).sum(1), (note,) * len(case)

    def _scores(self, case: Case, channels: Channels, k: int) -> Float[Tensor, "b k"]:
        """All images and channels as one stream of rows."""
        found = case.images.new_empty(len(case), k)

        def compute(sample: list[int], channel: list[int]) -> Tensor:
            return self.score(case, channels, sample, channel)

        for sample, channel, scores in variants_in_chunks(case.model, case.images, k, compute, "forward"):
            found[sample, channel] = scores.to(found)
        return found

    def cost(self, image_shape: ImageShape) -> PassCount:
        """The most an image may cost: of a layer with fewer channels, so many."""
        return PassCount(1 + self.channels)
