"""Masking: the most important pixels of an image are replaced by a fill.

    x^(s) = fill where the pixel is among the first ⌊s · pixels⌋ in the order of the map, else x

The importance of a pixel is the mean of |map| over channels. The order is that of the map of the unchanged image. With
`cumulative`, each level starts from the image of the level before and from its map, so that replaced pixels stay replaced. Pixels
of equal importance are ordered at random.

Where the fill is also the baseline of the method, replaced pixels have an attribution of exactly zero: integrated gradients from
zero, masked with zeros, lose the attributions of these pixels by construction. Another fill shows the effect of masking itself.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Reduction
from heatproof.numerics.places import as_values
from heatproof.numerics.reduce import reduce
from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.masks.ranks import random_tie_ranks


class Masking(Change):
    """Replaces a share of the pixels, those first in the order of the map.

    fill        what replaces them.
    order       whether the most or the least important pixels are replaced first.
    channel     only this channel is replaced, of a table only this column; None replaces all.
    cumulative  whether each level starts from the image of the level before and from its map.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.changes import ChangeContext, Masking
    >>> images = torch.linspace(0.1, 1, 784).view(1, 1, 28, 28)
    >>> context = ChangeContext(images, Bounds.of(0, 1, 1), torch.tensor([3]), model=None, explain=lambda x: x, seed=0)
    >>> tuple(int((image == 0).sum()) for image in Masking()(context, [0.0, 0.25, 1.0]))
    (0, 196, 784)
    """

    unit: ClassVar[str] = "share of pixels replaced"
    uses_maps: ClassVar[bool] = True

    fill: Fill = Zero()
    order: Literal["most", "least"] = "most"
    channel: NonNegativeInt | None = None
    cumulative: bool = False

    def check_fits(self, levels: Sequence[float], image_shape: tuple[int, ...]) -> None:
        if invalid := [level for level in levels if not 0 <= level <= 1]:
            raise SettingsError(f"masking: expected shares of the pixels between 0 and 1, got {invalid[0]:g}; change `levels`")
        if self.channel is not None and self.channel >= image_shape[0]:
            raise SettingsError(f"masking: expected a channel below {image_shape[0]}, got {self.channel}; count from 0")

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Tensor]:
        self.check_fits(levels, tuple(at.images.shape[1:]))
        draws = Draws.for_images(at.seed, at.images)
        fill = self.fill(at.images, at.bounds, draws, 0)
        current, masked = at.images, []
        place = self._place(at.explain(at.images), draws)
        for level in levels:
            replaced = place < int(level * place[0].numel())
            if self.channel is not None:
                chosen = torch.arange(current.shape[1], device=current.device) == self.channel
                replaced = replaced & chosen.view(-1, *[1] * (current.ndim - 2))
            changed = torch.where(replaced, fill, current)
            masked.append(changed)
            if self.cumulative:
                current, place = changed, self._place(at.explain(changed), draws)
        return masked

    def _place(self, maps: Tensor, draws: Draws) -> Tensor:
        """The position of each pixel in the order of replacement, from 0, `[b, 1, …]`, or `[b, f]` for a table."""
        importance = reduce(maps, Reduction.MEAN_ABSOLUTE) * (1 if self.order == "most" else -1)
        flat = importance.flatten(1)
        place = (flat.shape[1] - 1 - random_tie_ranks(flat, draws, "masked pixels")).view_as(importance)
        return as_values(place, maps)
