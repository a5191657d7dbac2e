"""What the attacks that follow a derivative share.

    x ← clip(x + α ε (upper − lower) ⊙ sign(∂D(S_β(x)) / ∂x))

S_β the map of the softened network (`maps.py`, `edits/soften.py`): a network of ReLUs is linear in pieces, so that the derivative
of its own gradient is zero. D is the attack's objective, which looks back to the image's own map, of the original network. After
each step the original network is asked: of the iterates that keep the decision, the one whose map is worth most is returned, and
the image itself if none is worth more than it. The worth is D too, unless the attack says otherwise.

Cost: an image, a level and a step: 3 n + 1 forward and 5 n backward rows for a map of n points, 3 and 4 for a map of one, of them
2 backward for the second derivative; once an image, n + 1 forward and n backward rows.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper: the step is a share of ε (theirs: ½ of 255, a sixteenth of their ε of 8), so that every level is reached
alike; 100 steps rather than 300, which changed nothing on a small network of digits; β = 3 rather than 1, since a deep network of
ReLU6 is another one at 1 (overlap of the top 2 % on three photographs, ε = 0.031, 32 steps, on EfficientNet-Lite0: 0.15 at β = 1,
0.02 at 3, 0.00 at 10, 0.09 by random signs; on SqueezeNet 1.1: 0.01, 0.03, 0.10 and 0.15); where D has no slope at all, as for the
mass centre of a smooth network at the image itself, the step is a random sign.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.attacks.base import Attack, AttackCase
from heatproof.attacks.maps import MANY, DifferentiableMap, Of

POINTS = 16
"""Points of a map that is made of many, unless the attack says how many."""


class GradientAttack(Attack, ABC):
    """Steps along the sign of a second derivative.

    of      the map whose change is pursued; look at others to see what transfers.
    points  points of that map, for integrated gradients and the smoothed maps; None = 16.
    steps   how many steps.
    rate    α, the length of a step as a share of ε.
    beta    β of the softplus in place of the ReLU, for the direction only; what suits depends on the size of activations.
    """

    of: Of = "gradient"
    points: PositiveInt | None = None
    steps: PositiveInt = 100
    rate: float = Field(default=1 / 16, gt=0, le=1)
    beta: PositiveFloat = 3.0

    @model_validator(mode="after")
    def _points_of_a_map_with_any(self) -> Self:
        if self.points is not None and self.of not in MANY:
            raise ValueError(f"points: expected none with of={self.of}, which has one, got {self.points}; with {', '.join(MANY)}")
        return self

    @property
    def n_points(self) -> int:
        """Points of the map, n."""
        return 1 if self.of not in MANY else self.points or POINTS

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        n, steps = self.n_points, self.steps * sum(level > 0 for level in levels)
        forward, backward = (3, 4) if n == 1 else (3 * n + 1, 5 * n)
        return n + 1 + steps * forward, n + steps * backward

    @abstractmethod
    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        """D, to be made large: of maps that sum to their number of pixels, and those of the clean images."""

    def worth(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        """By which the best iterate is chosen."""
        return self.objective(maps, start)

    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        twin = DifferentiableMap(case.model, case.images, case.target, case.draws, self.of, self.n_points)
        start = twin.maps(case.images)
        return [self._iterated(case, twin, start, level) if level else case.images.clone() for level in levels]

    def _iterated(
        self, case: AttackCase, twin: DifferentiableMap, start: Float[Tensor, "b h w"], level: float
    ) -> Float[Tensor, "b c h w"]:
        x, best, most = case.images, case.images.clone(), self.worth(start, start)
        kept = torch.zeros_like(case.label, dtype=torch.bool)
        for step in range(self.steps):
            slope = twin.pull(x, lambda maps, rows: self.objective(maps, start[rows]), self.beta).nan_to_num(0, 0, 0)
            flat = (slope == 0).flatten(1).all(1).view(-1, 1, 1, 1)
            signs = torch.where(flat, case.signs("attack", step), slope.sign()) if bool(flat.any()) else slope.sign()
            x = case.moved(x, self.rate * level * signs, level)
            worth, keeps = self.worth(twin.maps(x), start), case.keeps(x)
            better = keeps & (worth > most)
            most = torch.where(better, worth, most)
            best = torch.where(better.view(-1, 1, 1, 1), x, best)
            kept |= keeps
        return best.masked_fill(~kept.view(-1, 1, 1, 1), torch.nan)
