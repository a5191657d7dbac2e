"""Adam: steps along a running mean of slopes, each value's own divided by the root of a running mean of their squares.

    m ← β₁ m + (1 − β₁) g,    v ← β₂ v + (1 − β₂) g²,    x ← x − η m̂ / (√v̂ + ε),    m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

g the slopes at step t = 1, 2 …, η the rate, β₁ = 0.9, β₂ = 0.999, ε = 1e-8. No value is affected by another.

It gives the values of `torch.optim.Adam`, bit by bit on a CPU. The first optimiser of torch imports torch's compiler, which takes
longer than a small training.

Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """The running means of one descent; a step returns the values that it leads to. The rate may be changed between steps.

    >>> import torch
    >>> from heatproof.numerics.adam import Adam
    >>> x, descent = torch.tensor([3.0, -2.0]), Adam(rate=0.1)
    >>> for _ in range(200):
    ...     x = descent.step(x, 2 * x)
    >>> bool((x.abs() < 0.1).all())
    True
    """

    def __init__(self, rate: float) -> None:
        self.rate, self._steps = rate, 0
        self._mean = self._square = torch.zeros(())

    def step(self, x: Float[Tensor, "*shape"], slope: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The values after a step against their slopes."""
        if not self._steps:
            self._mean = self._square = torch.zeros_like(slope)
        self._steps += 1
        self._mean = self._mean.lerp(slope, 1 - FIRST)
        self._square = (self._square * SECOND).addcmul_(slope, slope, value=1 - SECOND)
        spread = (self._square.sqrt() / math.sqrt(1 - SECOND**self._steps)).add_(EPSILON)
        return x.addcdiv(self._mean, spread, value=-self.rate / (1 - FIRST**self._steps))
