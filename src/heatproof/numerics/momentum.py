"""Gradient descent with momentum: steps along a running sum of slopes.

    b ← μ b + g,    x ← x − η b

g the slopes, η the rate, μ = 0.9, and b = g in the first step. It gives the values of `torch.optim.SGD`, bit by bit on a CPU.

Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964, in the form of torch.
"""

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM = 0.9


class Momentum:
    """The running sum of one descent; a step returns the values that it leads to. The rate may be changed between steps.

    >>> import torch
    >>> from heatproof.numerics.momentum import Momentum
    >>> x, descent = torch.tensor([3.0, -2.0]), Momentum(rate=0.01)
    >>> for _ in range(200):
    ...     x = descent.step(x, 2 * x)
    >>> bool((x.abs() < 0.1).all())
    True
    """

    def __init__(self, rate: float) -> None:
        self.rate, self._sum = rate, torch.zeros(())

    def step(self, x: Float[Tensor, "*shape"], slope: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The values after a step against their slopes."""
        self._sum = self._sum * MOMENTUM + slope
        return x.add(self._sum, alpha=-self.rate)
