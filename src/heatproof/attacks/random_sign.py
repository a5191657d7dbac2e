"""Random signs: the control of every attack, a change of the same size in a random direction.

    x' = clip(x + ε (upper − lower) ⊙ s),    s ∈ {−1, 1} at random

x the image, ε the level, s drawn for every pixel and channel. The first of `tries` draws that keeps the decision is taken; the same
draws of s serve every level.

Cost: one forward pass for each image, and one forward pass for each image, level and draw, of which no more are made than needed.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019.
Differs from the paper because their attack is given up if its single draw changes the decision.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from heatproof.attacks.base import Attack, AttackCase


class RandomSign(Attack):
    """The change that moves every pixel by the full level, up or down at random.

    tries  the largest number of draws until one keeps the decision.

    >>> import torch
    >>> from heatproof.attacks import RandomSign
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.perturb.changes import ChangeContext
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> target = model.outputs(images).argmax(1)
    >>> maps = lambda x: Gradient().attribute(model, x, target).values
    >>> context = ChangeContext(images, model.bounds, target, model, maps, seed=0)
    >>> clean, attacked = RandomSign()(context, [0, 0.05])
    >>> torch.equal(clean, images), attacked.shape
    (True, torch.Size([2, 1, 28, 28]))
    >>> round(float((attacked - images).abs().max()), 3) <= 0.05
    True
    """

    tries: PositiveInt = 10

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        return 1 + sum(level > 0 for level in levels) * self.tries, 0

    def attacked(self, case: AttackCase, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        return [self._drawn(case, level) for level in levels]

    def _drawn(self, case: AttackCase, level: float) -> Float[Tensor, "b c h w"]:
        if not level:
            return case.images.clone()
        attacked, undecided = torch.full_like(case.images, torch.nan), torch.ones_like(case.label, dtype=torch.bool)
        for k in range(self.tries):
            x = case.stepped(case.images, level * case.signs("random sign", k), level)
            usable = undecided & case.decision_unchanged(x)
            attacked, undecided = torch.where(usable.view(-1, 1, 1, 1), x, attacked), undecided & ~usable
            if not bool(undecided.any()):
                break
        return attacked
