"""The most important pixels of the image, replaced.

    x^(s) = fill where the pixel is among the first ⌊s · pixels⌋ in the map's order, else x

Importance is the mean magnitude over channels. The order is that of the clean image's map; or, `cumulative`, of the map of the
image as the level before left it, so that what has been replaced stays so. Equal pixels stand in random order.

Where the fill is also the baseline of the method, replaced pixels have an attribution of exactly zero: integrated gradients from
zero, masked with zeros, lose what they said there by construction. Take another fill to see what masking itself does.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.masks.ranks import random_tie_ranks


class Masking(Change):
    """A share of the pixels, those first in the map's order, replaced.

    fill        what replaces them.
    order       most or least important first.
    channel     only this one is replaced; None = all.
    cumulative  whether each level begins with the image and the map that the level before left.
    """

    unit: ClassVar[str] = "share of pixels replaced"
    uses_maps: ClassVar[bool] = True

    fill: Fill = Zero()
    order: Literal["most", "least"] = "most"
    channel: NonNegativeInt | None = None
    cumulative: bool = False

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Tensor]:
        if strange := [level for level in levels if not 0 <= level <= 1]:
            raise SettingsError(f"masking: expected shares of the pixels between 0 and 1, got {strange[0]:g}")
        if self.channel is not None and self.channel >= at.images.shape[1]:
            raise SettingsError(f"masking: expected a channel below {at.images.shape[1]}, got {self.channel}")
        draws = Draws.for_images(at.seed, at.images)
        fill = self.fill(at.images, at.bounds, draws, 0)
        now, found = at.images, []
        place = self._place(at.explain(at.images), draws)
        for level in levels:
            replaced = place < int(level * place[0].numel())
            if self.channel is not None:
                replaced = replaced & (torch.arange(now.shape[1], device=now.device) == self.channel).view(-1, 1, 1)
            changed = torch.where(replaced, fill, now)
            found.append(changed)
            if self.cumulative:
                now, place = changed, self._place(at.explain(changed), draws)
        return found

    def _place(self, maps: Tensor, draws: Draws) -> Tensor:
        """Of each pixel, 0 for the first to go, `[b, 1, h, w]`."""
        importance = maps.abs().mean(1, keepdim=True) * (1 if self.order == "most" else -1)
        flat = importance.flatten(1)
        return (flat.shape[1] - 1 - random_tie_ranks(flat, draws, "masked pixels")).view_as(importance)
