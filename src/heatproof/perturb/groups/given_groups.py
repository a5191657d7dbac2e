"""Groups that the caller gives, as a map of integers or as masks: the same for every image, or one for each.

An image is identified by its content, as for random draws (`perturb/draws.py`), so that its groups do not depend on the batch.
"""

from typing import Annotated, Self

import torch
from jaxtyping import Float, Int
from pydantic import BeforeValidator, model_validator
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.frozen_tensor import ALLOW_TENSORS, FrozenTensor
from heatproof.perturb.draws import Draws, digests_of
from heatproof.perturb.groups.base import Groups


class GivenGroups(Groups):
    """Each integer of a map is a group, whatever the integers are; negative ones mark values of no group, which are never hidden.

    ids     integers `[1 or c, …]` for every image, or `[n, 1 or c, …]`, one map for each of `images`. Of a table, `[f]`.
    images  the images `[n, c, …]` that the maps belong to, as they are explained; by default one map is for every image. Of the
            images, only the digests of their content are kept.

    Raises:
        SettingsError: `ids` are no integers, or `ids` and `images` differ in number.
        TensorError: On a call, if the map is not shaped as one image, or if there is none for an image.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import GivenGroups
    >>> table = torch.rand(1, 5)
    >>> groups = GivenGroups(ids=torch.tensor([10, 10, 20, -1, 20]))
    >>> groups(table, Bounds.of(0, 1, 5), Draws.for_images(0, table)).ids
    tensor([[ 0,  0,  1, -1,  1]])
    """

    model_config = ALLOW_TENSORS

    ids: FrozenTensor
    images: Annotated[tuple[str, ...], BeforeValidator(digests_of)] = ()

    @classmethod
    def of_masks(cls, masks: Tensor) -> Self:
        """Groups from masks, one for each group, for every image; values in no mask belong to no group.

        Args:
            masks: `[m, 1 or c, …]`, True where a value belongs to the group.

        Raises:
            TensorError: The masks overlap, one of them is empty, or they are not truth values.

        >>> import torch
        >>> from heatproof.perturb.groups import GivenGroups
        >>> GivenGroups.of_masks(torch.tensor([[True, True, False, False], [False, False, False, True]])).ids
        tensor([ 0,  0, -1,  1])
        """
        if masks.dtype != torch.bool or masks.ndim < 2 or not len(masks):
            kind = str(masks.dtype).removeprefix("torch.")
            raise TensorError(
                f"masks: expected truth values [m, …], one mask for each group, got {kind} of shape {list(masks.shape)}; "
                "compare them with a number first"
            )
        if empty := (~masks.flatten(1).any(1)).nonzero().flatten().tolist():
            raise TensorError(f"masks: expected at least one value in each group, got none in group {empty[0]}; leave it out")
        if bool((twice := masks.sum(0) > 1).any()):
            both = masks[:, twice].any(1).nonzero().flatten().tolist()
            raise TensorError(
                f"masks: expected each value in one group at most, got {int(twice.sum())} values in several of the groups "
                f"{', '.join(map(str, both))}; give overlaps a group of their own"
            )
        number = torch.arange(len(masks), device=masks.device).view(-1, *[1] * (masks.ndim - 1))
        return cls(ids=torch.where(masks.any(0), (masks * number).sum(0), -1))

    @model_validator(mode="after")
    def _whole_numbers(self) -> Self:
        if self.ids.is_floating_point() or self.ids.dtype == torch.bool or self.ids.is_complex():
            kind = str(self.ids.dtype).removeprefix("torch.")
            raise ValueError(f"ids: expected integers, got {kind}; use ids.long(), or GivenGroups.of_masks for masks")
        if self.images and len(self.ids) != len(self.images):
            raise ValueError(f"ids: expected one map for each of the {len(self.images):,} images, got {len(self.ids):,}")
        return self

    def divide(self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws) -> Int[Tensor, "n g *space"]:
        maps = self.ids if self.images else self.ids[None]
        allowed = [(g, *images.shape[2:]) for g in (1, images.shape[1])]
        if tuple(maps.shape[1:]) not in allowed:
            raise TensorError(
                f"{self.name}: expected integers shaped as one image, {list(allowed[1])} or {list(allowed[0])}, got "
                f"{list(maps.shape[1:])}; give one image without a batch axis, or one for each image together with images=…"
            )
        maps = torch.stack([_renumbered(each) for each in maps])
        if not self.images:
            return maps
        number = {digest: n for n, digest in enumerate(self.images)}
        found = [number.get(digest.hex()) for digest in draws.digests]
        if None in found:
            raise TensorError(
                f"{self.name}: expected one of the {len(self.images):,} images that groups were given for, got another image; "
                "give images=… exactly as they are explained, or groups of one image for all"
            )
        return maps[found]

    def count(self, image_shape: tuple[int, ...]) -> int:
        maps = self.ids if self.images else self.ids[None]
        return max(len(_known(each)) for each in maps)


def _renumbered(ids: Int[Tensor, "g *space"]) -> Int[Tensor, "g *space"]:
    """Consecutive integers from 0 in the order of the given ones, and −1 for negative ones."""
    known = torch.tensor(_known(ids), dtype=torch.long, device=ids.device)
    return torch.where(ids < 0, -1, torch.searchsorted(known, ids.long().clamp(min=0).contiguous()))


def _known(ids: Int[Tensor, "g *space"]) -> list[int]:
    """The integers that are groups, in ascending order."""
    return sorted({*ids[ids >= 0].tolist()})
