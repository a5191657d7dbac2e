"""Noise added to an image.

    one_sided_uniform  x + ε (upper − lower) u,          u ~ U[0, 1) per entry: it also makes the image brighter, by ε/2
    uniform            x + ε (upper − lower)(2u − 1)
    gaussian           x + ε (upper − lower) n,          n ~ N(0, 1)

ε is the level. All levels scale one draw for each image, so that levels are compared with the same numbers. Values are not clipped
to the legal range unless `clip` is set: clipping would make the noise depend on the image.

Source: Wang & Kong, "Exploiting the relationship between Kendall's rank correlation and cosine similarity for attribution
protection", NeurIPS 2022, as repeated with one-sided noise in its replications.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws


class AddedNoise(Change):
    """Adds noise whose size, the level, is a share of the legal range of the channel.

    distribution  one_sided_uniform, uniform or gaussian, as in the formulas of this module.
    independent   whether every level has a draw of its own; otherwise all levels scale the same draw.
    clip          whether values are clipped to the legal range.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.changes import AddedNoise, ChangeContext
    >>> images = torch.zeros(1, 1, 28, 28)
    >>> context = ChangeContext(images, Bounds.of(0, 1, 1), torch.tensor([3]), model=None, explain=lambda x: x, seed=0)
    >>> small, large = AddedNoise(distribution="gaussian")(context, [0.1, 0.2])
    >>> torch.allclose(2 * small, large), round(small.std().item(), 1)
    (True, 0.1)
    """

    unit: ClassVar[str] = "noise, share of the legal range"

    distribution: Literal["one_sided_uniform", "uniform", "gaussian"] = "uniform"
    independent: bool = False
    clip: bool = False

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Tensor]:
        draws = Draws.for_images(at.seed, at.images)
        lower, upper = at.bounds.like(at.images)
        noisy = []
        for nth, level in enumerate(levels):
            changed = at.images + level * (upper - lower) * self._noise(draws, nth if self.independent else 0, at.images)
            noisy.append(changed.clamp(lower, upper) if self.clip else changed)
        return noisy

    def _noise(self, draws: Draws, index: int, images: Tensor) -> Tensor:
        if self.distribution == "gaussian":
            return draws.normal("added noise", index, images.shape[1:])
        uniform = draws.uniform("added noise", index, images.shape[1:])
        return uniform if self.distribution == "one_sided_uniform" else 2 * uniform - 1
