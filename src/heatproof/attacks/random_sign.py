"""Random signs: what a change of that size does to a map when nobody aims. The control of every attack.

    x' = clip(x + ε (upper − lower) ⊙ s),    s ∈ {−1, 1} at random

The first of `tries` draws that keeps the decision is taken; the same signs serve every level.

Cost: 1 forward row an image, and for each level 1 forward row an image and try, of which no more are made than are needed.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
Differs from the paper: their attack is given up if its one draw changes the decision.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from heatproof.attacks.base import Attack, AttackCase


class RandomSign(Attack):
    """Every pixel goes as far as it may, up or down at random.

    tries  draws until one keeps the decision.
    """

    tries: PositiveInt = 10

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        return 1 + sum(level > 0 for level in levels) * self.tries, 0

    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        return [self._drawn(case, level) for level in levels]

    def _drawn(self, case: AttackCase, level: float) -> Float[Tensor, "b c h w"]:
        if not level:
            return case.images.clone()
        found, open_ = torch.full_like(case.images, torch.nan), torch.ones_like(case.label, dtype=torch.bool)
        for k in range(self.tries):
            x = case.moved(case.images, level * case.signs("random sign", k), level)
            kept = open_ & case.keeps(x)
            found, open_ = torch.where(kept.view(-1, 1, 1, 1), x, found), open_ & ~kept
            if not bool(open_.any()):
                break
        return found
