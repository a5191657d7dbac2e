"""Noise added to the image.

    one_sided_uniform   x + ε (upper − lower) u,          u ~ U[0, 1) per entry: it also makes the image brighter, by ε/2
    uniform     x + ε (upper − lower)(2u − 1)
    gaussian    x + ε (upper − lower) n,          n ~ N(0, 1)

One draw an image: a greater level is more of the same noise, so that levels are compared with the same numbers. Nothing is clipped
to legal values unless asked: that would make the noise depend on the image.

Source: Wang & Kong, "Exploiting the relationship between Kendall's rank correlation and cosine similarity for attribution
protection", NeurIPS 2022, as repeated with one-sided noise in its replications.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.draws import Draws


class AddedNoise(Change):
    """Noise whose size is the level, a share of the legal range of the channel.

    kind    one_sided_uniform, uniform or gaussian.
    fresh   whether every level draws by itself.
    clip    whether values stay legal.
    """

    unit: ClassVar[str] = "noise, share of the legal range"

    distribution: Literal["one_sided_uniform", "uniform", "gaussian"] = "uniform"
    independent: bool = False
    clip: bool = False

    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Tensor]:
        draws = Draws.for_images(at.seed, at.images)
        lower, upper = at.bounds.like(at.images)
        found = []
        for nth, level in enumerate(levels):
            changed = at.images + level * (upper - lower) * self._noise(draws, nth if self.independent else 0, at.images)
            found.append(changed.clamp(lower, upper) if self.clip else changed)
        return found

    def _noise(self, draws: Draws, index: int, images: Tensor) -> Tensor:
        if self.distribution == "gaussian":
            return draws.normal("added noise", index, images.shape[1:])
        uniform = draws.uniform("added noise", index, images.shape[1:])
        return uniform if self.distribution == "one_sided_uniform" else 2 * uniform - 1
