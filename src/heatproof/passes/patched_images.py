"""Outputs of images in which one rectangle is replaced: the engine of region perturbation and of occlusion.

The rectangle of a signal is an interval, and that of a volume a box; for these full forward passes are used.

Only what the rectangle can affect is computed where that pays (`incremental.py`), else full forward passes are used; the outputs
are equal up to rounding. One of an image's candidates may become the image.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.partial.plan import ReplayMismatch
from heatproof.passes.cached_images import CachedImages
from heatproof.passes.forward import variant_outputs
from heatproof.passes.incremental import Size, incremental, use_full_passes


def box_at(first: Sequence[int], size: Size) -> tuple[slice, ...]:
    """The index of a rectangle in one image `[c, …]`, all channels, from its first place along each axis on."""
    return slice(None), *(slice(i, i + n) for i, n in zip(first, size, strict=True))


class PatchedImages:
    """A batch of images, from which candidates are made by replacing one rectangle.

    Args:
        model: the network.
        images: `[b, c, …]`; they are copied.
        size: the size of every rectangle along each axis: height and width.
        candidates: how many candidates each image will have at a time.
        times: how often there will be so many; with `candidates`, this decides whether partial recomputation pays.

    Example:
        >>> import torch
        >>> from heatproof.models.loaders import Toy
        >>> from heatproof.passes.patched_images import PatchedImages
        >>> model = Toy(architecture="cnn", width=0.1).load()
        >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
        >>> patched = PatchedImages(model, images, (7, 7), candidates=16, times=1)
        >>> corners = torch.cartesian_prod(torch.arange(0, 28, 7), torch.arange(0, 28, 7)).expand(2, 16, 2)
        >>> patched.outputs(corners, torch.zeros(2, 16, 1, 7, 7)).shape
        torch.Size([2, 16, 10])
    """

    def __init__(self, model: Model, images: Float[Tensor, "b c *space"], size: Size, candidates: int, times: int) -> None:
        self.model, self.images, self.size = model, images.clone(), size
        self._last: tuple[Tensor, Tensor] | None = None
        self._cached: CachedImages | None = None
        plan = incremental(model, images, size)
        if plan.replay is not None and plan.pays(len(images), candidates, times):
            self._cached = CachedImages(model, self.images, plan, plan.replay, f"rectangles of {' × '.join(map(str, size))}")

    def outputs(
        self, corners: Int[Tensor, "b axes"] | Int[Tensor, "b p axes"], rectangles: Float[Tensor, "b p c *size"]
    ) -> Float[Tensor, "b p k"]:
        """Return the network's outputs for p candidates of each image.

        Cost: `b p` forward passes, or the affected share of them.

        Args:
            corners: the first place along each axis, row and column, of the rectangle: `[b, 2]` for all candidates of an image or
                `[b, p, 2]` for each of them. Consecutive candidates with the same corner are computed together, so put the fills of
                a corner side by side.
            rectangles: what replaces the rectangle in each candidate.

        Raises:
            TensorError: The shapes do not fit the images and the size of the rectangle, or a rectangle reaches beyond its image.
        """
        corners = self._checked_corners(corners, rectangles)
        outputs = None
        if self._cached is not None:
            try:
                outputs = self._cached.outputs(corners, rectangles)
            except ReplayMismatch as mismatch:
                self._give_up_partial(str(mismatch))
        if outputs is None:
            outputs = self._full(corners, rectangles)
        self._last = corners, rectangles
        return outputs.view(*rectangles.shape[:2], -1)

    def keep(self, candidate: Int[Tensor, " b"]) -> None:
        """Make one candidate of each image, of the last outputs, the image from now on.

        Cost: no forward pass, or one partial pass per image where there are many candidates; it counts as work only.

        Args:
            candidate: the index, from 0 to p − 1, of each image's candidate.

        Raises:
            TensorError: No outputs were computed since candidates were last kept, or there is no such candidate.
        """
        if self._last is None:
            raise TensorError("keep: expected candidates whose outputs were computed, got none; call outputs first")
        corners, rectangles = self._last
        b, p = rectangles.shape[:2]
        chosen = candidate.tolist()
        if len(chosen) != b or not all(0 <= index < p for index in chosen):
            raise TensorError(f"candidate: expected {b} indices from 0 to {p - 1}, one per image, got {chosen}")
        if self._cached is not None:
            try:
                self._cached.keep(corners, rectangles, candidate)
            except ReplayMismatch as mismatch:
                self._give_up_partial(str(mismatch))
        for image, of_image, rectangle, index in zip(self.images, corners.tolist(), rectangles, chosen, strict=True):
            image[box_at(of_image[index], self.size)] = rectangle[index]
        self._last = None

    def _checked_corners(self, corners: Tensor, rectangles: Tensor) -> Tensor:
        """Return the corners as `[b, p, 2]`, after refusing those that do not fit."""
        (b, c), space = self.images.shape[:2], list(self.images.shape[2:])
        got = list(rectangles.shape)
        axes, size = len(space), ", ".join(map(str, self.size))
        if len(got) != axes + 3 or got[:1] + got[2:] != [b, c, *self.size] or got[1] == 0:
            raise TensorError(f"rectangles: expected shape [{b}, p, {c}, {size}] with p ≥ 1, got {got}")
        p = got[1]
        if list(corners.shape) not in ([b, axes], [b, p, axes]) or corners.is_floating_point():
            raise TensorError(
                f"corners: expected integers of shape [{b}, {axes}], or [{b}, {p}, {axes}] for a corner per candidate, "
                f"got {str(corners.dtype).removeprefix('torch.')} of shape {list(corners.shape)}"
            )
        corners = corners.view(b, -1, axes).expand(b, p, axes)
        outside = ((corners < 0) | (corners > corners.new_tensor(space) - corners.new_tensor(self.size))).any(2)
        if bool(outside.any()):
            raise TensorError(
                f"rectangles: expected {list(self.size)} pixels inside {space}, got {list(self.size)} from "
                f"{corners[outside][0].tolist()} on; move the corner"
            )
        return corners

    def _full(self, corners: Tensor, rectangles: Tensor) -> Tensor:
        def build(image: list[int], candidate: list[int]) -> Tensor:
            changed = self.images[image]
            corner, rectangle = corners[image, candidate].tolist(), rectangles[image, candidate]
            for patched, first, patch in zip(changed, corner, rectangle, strict=True):
                patched[box_at(first, self.size)] = patch
            return changed

        return torch.cat([outputs for *_, outputs in variant_outputs(self.model, self.images, rectangles.shape[1], build)])

    def _give_up_partial(self, reason: str) -> None:
        """Use full forward passes from now on."""
        use_full_passes(self.model, reason)
        self._cached = None
