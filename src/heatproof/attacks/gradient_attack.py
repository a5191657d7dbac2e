"""Attacks that follow the derivative of a map.

    x ← clip(x + α ε (upper − lower) ⊙ sign(∂D(S_β(x)) / ∂x))

x the image, α the rate, ε the level, S_β the map of the softened network (see `differentiable_map.py` and `edits/soften.py`), D the
objective of the attack, which compares a map with the clean image's map by the original network. The softened network supplies the
direction only: after each step the original network is run, and of the iterates that keep its decision the one with the best map is
returned; the clean image itself is returned if no iterate is better. The best map is the one with the largest D, unless the attack
defines another criterion.

Cost: for each image, level and step, 3 n + 1 forward and 5 n backward passes for a map of n terms, or 3 and 4 for a map of one
term; two of the backward passes per term belong to the second derivative. Once for each image, n + 1 forward and n backward
passes.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper because the step is a share of ε (theirs is ½ of 255, a sixteenth of their ε of 8), so that every
level is reached in the same number of steps; because there are 100 steps rather than 300, which changed nothing on a small
network of digits; because β = 3 rather than 1, since softening with β = 1 changes a deep network of ReLU6 too much (overlap of
the top 2 % on three photographs, ε = 0.031, 32 steps, on EfficientNet-Lite0: 0.15 at β = 1, 0.02 at 3, 0.00 at 10, 0.09 by random
signs; on SqueezeNet 1.1: 0.01, 0.03, 0.10 and 0.15); and because the step has random signs where D has no slope at all, as for
the mass centre of a smooth network at the clean image.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.attacks.base import Attack, AttackCase
from heatproof.attacks.differentiable_map import DifferentiableMap
from heatproof.core.errors import SettingsError
from heatproof.methods.base import Method


class GradientAttack(Attack, ABC):
    """An attack that takes steps along the sign of the derivative of its objective.

    of     the method whose map is attacked, by default the gradient; `{name = "smooth_grad", samples = 16}` sets its number of
           points. The maps of other methods on the attacked images show whether the attack transfers.
    steps  the number of steps.
    rate   α, the length of a step as a share of ε.
    beta   β of the softplus that replaces the ReLU; the best value depends on the size of the network's activations.
    """

    of: Method = Field(default_factory=partial(Method.from_dict, "gradient"))
    steps: PositiveInt = 100
    rate: float = Field(default=1 / 16, gt=0, le=1)
    beta: PositiveFloat = 3.0

    @model_validator(mode="after")
    def _differentiable(self) -> Self:
        try:
            self.of.terms()
        except SettingsError as error:
            raise ValueError(f"of: {error}") from error
        return self

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        n, steps = self.of.terms().n, self.steps * sum(level > 0 for level in levels)
        forward, backward = (3, 4) if n == 1 else (3 * n + 1, 5 * n)
        return n + 1 + steps * forward, n + steps * backward

    @abstractmethod
    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        """D, which the attack makes as large as it can.

        Args:
            maps: S of the moved images; each sums to its number of pixels.
            start: S of the same images, clean.
        """

    def selection(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        """The number by which the best iterate is chosen: the objective, unless the attack says otherwise."""
        return self.objective(maps, start)

    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        pursued = DifferentiableMap(case.model, case.images, case.target, case.draws, self.of, self.beta)
        start = pursued.maps(case.images)
        return [self._iterated(case, pursued, start, level) if level else case.images.clone() for level in levels]

    def _iterated(
        self, case: AttackCase, pursued: DifferentiableMap, start: Float[Tensor, "b h w"], level: float
    ) -> Float[Tensor, "b c h w"]:
        x, best, most = case.images, case.images.clone(), self.selection(start, start)
        possible = torch.zeros_like(case.label, dtype=torch.bool)
        for step in range(self.steps):
            slope = pursued.derivative(x, lambda maps, rows: self.objective(maps, start[rows])).nan_to_num(0, 0, 0)
            flat = (slope == 0).flatten(1).all(1).view(-1, 1, 1, 1)
            signs = torch.where(flat, case.signs("attack", step), slope.sign()) if bool(flat.any()) else slope.sign()
            x = case.stepped(x, self.rate * level * signs.to(x.dtype), level)
            value, unchanged = self.selection(pursued.maps(x), start), case.decision_unchanged(x)
            better = unchanged & (value > most)
            most = torch.where(better, value, most)
            best = torch.where(better.view(-1, 1, 1, 1), x, best)
            possible |= unchanged
        return best.masked_fill(~possible.view(-1, 1, 1, 1), torch.nan)
