"""Rows that are images with one rectangle replaced: the engine of region perturbation and occlusion.

Only what the rectangle can reach is computed where that pays (see `incremental.py`), else rows pass as a whole; the outputs are the
same up to rounding, whichever it is. A candidate may become the image from then on.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import forward_rows
from heatproof.passes.incremental import forget, incremental, record, replay
from heatproof.passes.memory import in_chunks
from heatproof.surgery.changing import Diverged, Group, Kept


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
        self._plan = incremental(model, images, size)
        self._kept: Kept | None = None
        if self._plan.trace is not None and self._plan.pays(len(images), candidates, times):
            self._kept = record(model, self.images, self._plan.trace, self._kind)

    def outputs(
        self, corner: Int[Tensor, "b 2"], rectangles: Float[Tensor, "b p c h w"], *, keep: bool = False
    ) -> Float[Tensor, "b p k"]:
        """The network's outputs for each candidate. Cost: `b p` forward rows.

        Args:
            corner: first row and column of each image's rectangle.
            rectangles: what is put there.
            keep: of one candidate an image, make it the image, as `keep` does, in the same rows.
        """
        try:
            found = self._whole(corner, rectangles) if self._kept is None else self._parts(corner, rectangles, renew=keep)
        except Diverged as error:
            self._give_up(str(error))
            found = self._whole(corner, rectangles)
        if keep:
            self._paste(corner, rectangles[:, 0])
        return found.view(*rectangles.shape[:2], -1)

    def keep(self, corner: Int[Tensor, "b 2"], rectangles: Float[Tensor, "b c h w"]) -> None:
        """Make this the image from now on. Cost: what is computed of a row an image, which answers nothing."""
        if self._kept is not None:
            try:
                self._parts(corner, rectangles[:, None], renew=True, answers=0)
            except Diverged as error:
                self._give_up(str(error))
        self._paste(corner, rectangles)

    def _parts(self, corner: Tensor, rectangles: Tensor, *, renew: bool, answers: int = 1) -> Tensor:
        p, places, trace, kept = rectangles.shape[1], [(i, j) for i, j in corner.tolist()], self._plan.trace, self._kept
        rows_of_all, space = rectangles.flatten(0, 1), (self.images.shape[2], self.images.shape[3])
        if trace is None or kept is None:
            raise Diverged("expected a plan")

        def compute(rows: range) -> Tensor:
            images = range(rows.start // p, (rows.stop - 1) // p + 1)
            bounds = [(max(i * p, rows.start) - rows.start, min((i + 1) * p, rows.stop) - rows.start) for i in images]
            groups = [Group(slice(*ends), i, places[i]) for i, ends in zip(images, bounds, strict=True)]
            return replay(self.model, trace, kept, rows_of_all[rows.start : rows.stop].clone(), groups, space, renew=renew)

        found = []
        for rows, outputs in in_chunks(self.model, self.images, len(rows_of_all), compute, self._kind):
            record_rows(forward=answers * len(rows), equivalent=self._plan.share * len(rows))
            found.append(outputs)
        return torch.cat(found)

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
        forget(self.model, self.images, self.size, reason)
        self._kept = None
