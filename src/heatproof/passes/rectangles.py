"""Rows that are images with one rectangle replaced: the engine of region perturbation and occlusion.

Only what the rectangle can reach is computed where that pays (see `incremental.py`), else rows pass as a whole; the outputs are the
same up to rounding, whichever it is. A candidate may become the image from then on.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.forward import forward_rows
from heatproof.passes.incremental import KeptImages, forget, incremental
from heatproof.surgery.changing import Diverged


class Rectangles:
    """Images, of which one rectangle at a time is replaced.

    model       the network.
    images      `[b, c, h, w]`; they are copied.
    size        height and width of every rectangle.
    candidates  rectangles an image, at a time.
    times       how often there will be so many, which decides whether it pays to keep what lies around them.
    """

    def __init__(self, model: Model, images: Float[Tensor, "b c h w"], size: tuple[int, int], candidates: int, times: int) -> None:
        self.model, self.images, self.size = model, images.clone(), size
        self._kind = f"rectangles of {size[0]} × {size[1]}"
        plan = incremental(model, images, size)
        pays = plan.trace is not None and plan.pays(len(images), candidates, times)
        kind = f"rectangles of {size[0]} × {size[1]}"
        self._kept = KeptImages(model, self.images, plan.trace, kind) if plan.trace is not None and pays else None

    def outputs(
        self, corner: Int[Tensor, "b 2"], rectangles: Float[Tensor, "b p c h w"], *, keep: bool = False
    ) -> Float[Tensor, "b p k"]:
        """The network's outputs for each candidate. Cost: `b p` forward rows.

        Args:
            corner: first row and column of each image's rectangle.
            rectangles: what is put there.
            keep: of one candidate an image, make it the image, as `keep` does, in the same rows.
        """
        found = None
        if self._kept is not None:
            try:
                found = self._kept.outputs(corner, rectangles, keep=keep)
            except Diverged as error:
                self._give_up(str(error))
        if found is None:
            found = self._whole(corner, rectangles)
        if keep:
            self._paste(corner, rectangles[:, 0])
        return found.view(*rectangles.shape[:2], -1)

    def keep(self, corner: Int[Tensor, "b 2"], rectangles: Float[Tensor, "b c h w"]) -> None:
        """Make this the image from now on. Cost: what is computed of a row an image, which answers nothing."""
        if self._kept is not None:
            try:
                self._kept.renew(corner, rectangles)
            except Diverged as error:
                self._give_up(str(error))
        self._paste(corner, rectangles)

    def _whole(self, corner: Tensor, rectangles: Tensor) -> Tensor:
        p = rectangles.shape[1]
        places, rows_of_all = corner.tolist(), rectangles.flatten(0, 1)

        def build(rows: range) -> Tensor:
            changed = self.images[[row // p for row in rows]]
            for image, row in zip(changed, rows, strict=True):
                i, j = places[row // p]
                image[:, i : i + self.size[0], j : j + self.size[1]] = rows_of_all[row]
            return changed

        return torch.cat([outputs for _, outputs in forward_rows(self.model, self.images, len(rows_of_all), build)])

    def _paste(self, corner: Tensor, rectangles: Tensor) -> None:
        for image, (i, j), rectangle in zip(self.images, corner.tolist(), rectangles, strict=True):
            image[:, i : i + self.size[0], j : j + self.size[1]] = rectangle

    def _give_up(self, reason: str) -> None:
        forget(self.model, reason)
        self._kept = None
