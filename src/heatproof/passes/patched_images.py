"""Rows that are images with one rectangle replaced: the engine of region perturbation and occlusion.

Only what the rectangle can reach is computed where that pays (see `incremental.py`), else rows pass as a whole; the outputs are the
same up to rounding, whichever it is. A candidate may become the image from then on.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.partial.replay import Diverged
from heatproof.passes.forward import variant_outputs
from heatproof.passes.incremental import KeptImages, forget, incremental


class PatchedImages:
    """Images, of which one rectangle at a time is replaced.

    model       the network.
    images      `[b, c, h, w]`; they are copied.
    size        height and width of every rectangle.
    candidates  rectangles an image, at a time.
    times       how often there will be so many, which decides whether it pays to keep what lies around them.
    """

    def __init__(self, model: Model, images: Float[Tensor, "b c h w"], size: tuple[int, int], candidates: int, times: int) -> None:
        self.model, self.images, self.size = model, images.clone(), size
        self._last: tuple[Tensor, Tensor] | None = None
        plan = incremental(model, images, size)
        pays = plan.trace is not None and plan.pays(len(images), candidates, times)
        kind = f"rectangles of {size[0]} × {size[1]}"
        self._kept = KeptImages(model, self.images, plan, plan.trace, kind) if plan.trace is not None and pays else None

    def outputs(self, corner: Int[Tensor, "b 2"], rectangles: Float[Tensor, "b p c h w"]) -> Float[Tensor, "b p k"]:
        """The network's outputs for each candidate. Cost: `b p` forward rows.

        Args:
            corner: first row and column of each image's rectangle.
            rectangles: what is put there.

        Raises:
            TensorError: PatchedImages of another size than was said, or that reach beyond the image.
        """
        room = torch.tensor(self.images.shape[2:]) - torch.tensor(self.size)
        if tuple(rectangles.shape[-2:]) != self.size or bool(((corner.cpu() < 0) | (corner.cpu() > room)).any()):
            raise TensorError(
                f"rectangles: expected {list(self.size)} pixels inside {list(self.images.shape[2:])}, got "
                f"{list(rectangles.shape[-2:])} from {corner.tolist()} on"
            )
        found = None
        if self._kept is not None:
            try:
                found = self._kept.outputs(corner, rectangles)
            except Diverged as error:
                self._give_up(str(error))
        if found is None:
            found = self._whole(corner, rectangles)
        self._last = corner, rectangles
        return found.view(*rectangles.shape[:2], -1)

    def keep(self, candidate: Int[Tensor, " b"]) -> None:
        """Make one of each image's candidates, of the last outputs, the image from now on.

        Cost: no row that answers anything; what was not remembered of candidates is computed again.

        Raises:
            TensorError: No outputs were asked for since the last candidates were kept.
        """
        if self._last is None:
            raise TensorError("keep: expected candidates whose outputs were asked for, got none")
        corner, rectangles = self._last
        if self._kept is not None:
            try:
                self._kept.keep(corner, rectangles, candidate)
            except Diverged as error:
                self._give_up(str(error))
        for image, (i, j), rectangle, chosen in zip(self.images, corner.tolist(), rectangles, candidate.tolist(), strict=True):
            image[:, i : i + self.size[0], j : j + self.size[1]] = rectangle[chosen]
        self._last = None

    def _whole(self, corner: Tensor, rectangles: Tensor) -> Tensor:
        places = corner.tolist()

        def build(image: list[int], candidate: list[int]) -> Tensor:
            changed = self.images[image]
            for row, (i, j), rectangle in zip(changed, [places[n] for n in image], rectangles[image, candidate], strict=True):
                row[:, i : i + self.size[0], j : j + self.size[1]] = rectangle
            return changed

        return torch.cat([outputs for *_, outputs in variant_outputs(self.model, self.images, rectangles.shape[1], build)])

    def _give_up(self, reason: str) -> None:
        forget(self.model, reason)
        self._kept = None
