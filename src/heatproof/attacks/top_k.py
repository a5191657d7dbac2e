"""Top-k attack: it takes the mass away from the most salient pixels.

    D = −Σ_{i ∈ B} S_i(x')

S_i the share of pixel i in the map's magnitude, x' the attacked image, B the k pixels with the largest S on the clean image x.
The best iterate is the one whose k largest pixels share the fewest with B, and the earliest of these if there are several.

Cost: 3 forward and 4 backward passes for each image, level and step, for a map of one term; see `gradient_attack.py` for others.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper because k is a share of the pixels (their 1000 of 227 × 227 is 0.019).
"""

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack
from heatproof.numerics.similarity import top_k_intersection


class TopK(GradientAttack):
    """The attack that makes the most important pixels look unimportant.

    share  k, the number of attacked pixels as a share of all pixels.

    >>> import torch
    >>> from heatproof.attacks import TopK
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.perturb.changes import ChangeContext
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> target = model.outputs(images).argmax(1)
    >>> maps = lambda x: Gradient().attribute(model, x, target).values
    >>> context = ChangeContext(images, model.bounds, target, model, maps, seed=0)
    >>> clean, attacked = TopK(steps=2)(context, [0, 0.05])
    >>> torch.equal(clean, images), attacked.shape
    (True, torch.Size([2, 1, 28, 28]))
    >>> round(float((attacked - images).abs().max()), 3) <= 0.05
    True
    """

    share: float = Field(default=0.02, gt=0, lt=1)

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        order = start.flatten(1).sort(dim=1, descending=True, stable=True).indices
        return -maps.flatten(1).gather(1, order[:, : self._k(start)]).sum(1)

    def selection(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        return -top_k_intersection(maps, start, self._k(start))

    def _k(self, maps: Tensor) -> int:
        return max(1, round(self.share * maps[0].numel()))
