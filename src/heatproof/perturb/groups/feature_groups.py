"""The feature groups of a batch: an integer for each value of each image, and what is computed with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.numerics.wide import wide


@dataclass(frozen=True, eq=False)
class FeatureGroups:
    """The division of each image's values into groups, numbered from 0 for each image.

    ids     `[b, g, *space]`, the group of each value; g is 1 where all channels of a place share a group, else the number of
            channels. −1: the value belongs to no group and is always present.
    counts  the number of groups of each image.

    >>> import torch
    >>> from heatproof.perturb.groups import FeatureGroups
    >>> halves = FeatureGroups(torch.tensor([[[0, 0, 1, 1]]]), (2,))  # a signal of four times
    >>> halves.present([0], torch.tensor([[True, False]]))
    tensor([[[ True,  True, False, False]]])
    >>> halves.shared(torch.tensor([[6.0, 1.0]]), channels=1)
    tensor([[[3.0000, 3.0000, 0.5000, 0.5000]]])
    """

    ids: Int[Tensor, "b g *space"]
    counts: tuple[int, ...]

    @property
    def most(self) -> int:
        """The largest number of groups M of an image. The columns of masks and effects beyond an image's own count are not used."""
        return max(self.counts)

    @cached_property
    def same(self) -> bool:
        """Whether all images are divided in the same way."""
        return self.ids.stride(0) == 0 or len(self.counts) == 1 or bool((self.ids == self.ids[:1]).all())

    def present(self, image: Sequence[int], masks: Bool[Tensor, "r m"]) -> Bool[Tensor, "r g *space"]:
        """Which values are present in a chunk of r inputs: row r is `image[r]` with the groups that `masks[r]` keeps."""
        return self._at_values(image, torch.cat([masks, masks.new_ones(len(masks), 1)], 1))

    def shared(self, effects: Float[Tensor, "b m"], channels: int) -> Float[Tensor, "b c *space"]:
        """A map in which the effect of each group is shared equally among its values, so that the map sums to the effects."""
        each = effects / self.sizes(channels).clamp(min=1)
        maps = self._at_values(range(len(effects)), torch.cat([each, each.new_zeros(len(each), 1)], 1))
        return maps.expand(-1, channels, *maps.shape[2:]).clone()

    def sizes(self, channels: int) -> Int[Tensor, "b m"]:
        """The number of values in each group of each image."""
        ids = self._numbered[:1] if self.same else self._numbered
        counted = torch.zeros(len(ids), self.most + 1, dtype=torch.long, device=ids.device)
        counted.scatter_add_(1, ids, torch.ones_like(ids))
        return (counted[:, :-1] * (channels // self.ids.shape[1])).expand(len(self.counts), -1)

    def sums(self, maps: Float[Tensor, "b *shape"]) -> Float[Tensor, "b m"]:
        """The sum of a map `[b, 1 or c, *space]` over each group, in float64; the map of a table is `[b, f]` or `[b, 1, f]`."""
        g = 1 if self.ids.ndim == 2 else self.ids.shape[1]
        ids = self._numbered.reshape(len(self.counts), g, -1)
        values = maps.double().reshape(len(maps), -1, ids.shape[2])
        each = max(g, values.shape[1])
        ids, values = (at.expand(-1, each, -1).flatten(1) for at in (ids, values))
        return values.new_zeros(len(maps), self.most + 1).scatter_add_(1, ids, values)[:, :-1]

    def means(self, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """The images in which each value is the mean of its channel over its group; values of no group stay as they are."""
        b, c = images.shape[:2]
        g = self.ids.shape[1]
        ids = self._numbered.view(b, g, -1).expand(b, c, -1)
        values = wide(images).reshape(b, c, -1)
        sums, counted = (
            torch.zeros(b, c, self.most + 1, dtype=values.dtype, device=values.device).scatter_add_(2, ids, each)
            for each in (values, torch.ones_like(values))
        )
        means = (sums / counted.clamp(min=1)).gather(2, ids).view_as(images).to(images.dtype)
        return torch.where(self.ids < 0, images, means)

    def rows(self, image: Sequence[int]) -> "FeatureGroups":
        """The groups of some of the images."""
        ids = self.ids[:1].expand(len(image), *self.ids.shape[1:]) if self.same else self.ids[list(image)]
        return FeatureGroups(ids, tuple(self.counts[i] for i in image))

    @cached_property
    def boxes(self) -> Int[Tensor, "m 2 2"] | None:
        """The first row and column, and those after the last, of each group; None unless all are rectangles that images share."""
        if not self.same or self.ids.ndim != 4 or self.ids.shape[1] != 1 or bool((self.ids[0] < 0).any()):
            return None
        ids, (h, w) = self._numbered[0], self.ids.shape[2:]
        places = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1).view(-1, 2).to(ids.device)
        index = ids[:, None].expand(-1, 2)
        first, last = (
            torch.zeros(self.most, 2, dtype=torch.long, device=ids.device).scatter_reduce_(
                0, index, places, how, include_self=False
            )
            for how in ("amin", "amax")
        )
        found = torch.stack([first, last + 1], 1)
        return found if torch.equal((last + 1 - first).prod(1), self.sizes(1)[0]) else None

    @cached_property
    def _numbered(self) -> Int[Tensor, "b n"]:
        """The group of each value, with the number `most` for values of no group."""
        ids = self.ids[:1] if self.ids.stride(0) == 0 else self.ids
        flat = torch.where(ids < 0, self.most, ids).flatten(1)
        return flat.expand(len(self.counts), -1)

    def _at_values(self, image: Sequence[int], values: Tensor) -> Tensor:
        """The value of each value's group `[r, g, *space]`, from one value for each group and one for no group `[r, m + 1]`."""
        space = self.ids.shape[1:]
        if self.same or len({*image}) == 1:
            return values.index_select(1, self._numbered[image[0]]).view(len(values), *space)
        return values.gather(1, self._numbered[list(image)]).view(len(values), *space)
