"""Top-k attack: the most salient pixels lose their mass.

    D = −Σ_{i ∈ B} S_i(x'),    B the k pixels of largest S(x)

The best iterate is the one that shares the fewest of its k largest pixels with B; the earliest of several.

Cost: see `gradient_attack.py`; 3 forward and 4 backward rows an image, a level and a step for a map of one point.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper: k is a share of the pixels (their 1000 of 227 × 227 is 0.019).
"""

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack
from heatproof.numerics.similarity import top_k_intersection


class TopK(GradientAttack):
    """What was most important is made to look unimportant.

    share  of the pixels that are pressed down.
    """

    share: float = Field(default=0.02, gt=0, lt=1)

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        order = start.flatten(1).sort(dim=1, descending=True, stable=True).indices
        return -maps.flatten(1).gather(1, order[:, : self._k(start)]).sum(1)

    def worth(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        return -top_k_intersection(maps, start, self._k(start))

    def _k(self, maps: Tensor) -> int:
        return max(1, round(self.share * maps[0].numel()))
