"""The interface of feature groups: how the values of an input are divided into groups that are present or absent together."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws
from heatproof.perturb.groups.feature_groups import FeatureGroups


class Groups(Settings, ABC):
    """A division into feature groups: a call with images `[b, c, …]` returns the groups of each.

    The groups of an image depend on that image alone.
    """

    home: ClassVar[str] = "heatproof.perturb.groups"
    family: ClassVar[str] = "division into groups"
    needs_images: ClassVar[bool] = False
    """Whether the division needs images `[b, c, h, w]`, and refuses tables `[b, f]` and signals `[b, c, t]`."""

    def __call__(self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws) -> FeatureGroups:
        """The groups of each image.

        Raises:
            TensorError: The division does not fit the images.
        """
        ids = self.divide(images, bounds, draws)
        expected = f"[1 or {len(images)}, 1 or {images.shape[1]}, {', '.join(map(str, images.shape[2:]))}]"
        fits = ids.ndim == images.ndim and ids.shape[2:] == images.shape[2:]
        if not fits or ids.shape[0] not in (1, len(images)) or ids.shape[1] not in (1, images.shape[1]):
            raise TensorError(f"{self.name}: expected groups {expected}, got {list(ids.shape)}; give one integer for each place")
        ids = ids.to(images.device)
        counts = [int(each.max()) + 1 for each in ids]
        if not min(counts):
            raise TensorError(f"{self.name}: expected at least one group for each image, got none; leave out −1 somewhere")
        return FeatureGroups(ids.expand(len(images), *ids.shape[1:]), tuple(counts * (len(images) // len(counts))))

    @abstractmethod
    def divide(self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws) -> Int[Tensor, "n g *space"]:
        """The group of each value: consecutive integers from 0 for each image, or −1 for none.

        The first axis has length 1 if all images are divided in the same way; the second one if all channels of a place share a
        group.
        """

    @abstractmethod
    def count(self, image_shape: tuple[int, ...]) -> int:
        """The number of groups of one image `(c, …)`; for groups that depend on its content, about how many."""


class RegularGroups(Groups, ABC):
    """Groups that are boxes of neighbouring places, the same for every image. Each column of a table is a group of its own.

    channels  whether all channels of a place are in one group (together), or each channel has groups of its own (each).
    """

    channels: Literal["together", "each"] = "together"

    @abstractmethod
    def cells(self, n: int) -> Int[Tensor, " n"]:
        """The number of the cell, from 0, of each of the n places along an axis."""

    def divide(self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws) -> Int[Tensor, "n g *space"]:
        c, *space = images.shape[1:]
        axes = [self.cells(n) for n in space]
        if not space or self.channels == "each":
            axes = [torch.arange(c), *axes]
        ids = torch.zeros((), dtype=torch.long)
        for cells in axes:
            ids = ids[..., None] * (int(cells[-1]) + 1) + cells
        return ids.view(1, -1, *space)

    def count(self, image_shape: tuple[int, ...]) -> int:
        c, *space = image_shape
        total = c if not space or self.channels == "each" else 1
        for n in space:
            total *= int(self.cells(n)[-1]) + 1
        return total
