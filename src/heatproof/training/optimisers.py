"""The optimisers of the training loop: Adam, and gradient descent with momentum.

For a parameter w with gradient g, in step t = 1, 2, … at a rate r, where weight decay λ makes g + λw of g:

    Adam       m ← β₁m + (1 − β₁)g     v ← β₂v + (1 − β₂)g²     w ← w − r · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
    momentum   b ← μb + g (first b = g)                          w ← w − r · b

They give the weights of `torch.optim`, bit by bit on a CPU, and not its import of the compiler with the first optimiser, which
takes longer than a small training.

Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_MOMENTUM = 0.9


class Adam:
    """Steps of about the rate's size, by the mean of past gradients in relation to their spread."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float = 0.0) -> None:
        self._moments = [(parameter, torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in parameters]
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change every parameter that has a gradient, in place."""
        self._steps += 1
        size = rate / (1 - _BETA1**self._steps)
        spread = math.sqrt(1 - _BETA2**self._steps)
        for parameter, first, second in self._moments:
            if parameter.grad is not None:
                gradient = _decayed(parameter, parameter.grad, self._decay)
                first.lerp_(gradient, 1 - _BETA1)
                second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
                parameter.addcdiv_(first, (second.sqrt() / spread).add_(_EPSILON), value=-size)


class Momentum:
    """Steps along a running sum of past gradients."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float = 0.0) -> None:
        self._sums: list[tuple[nn.Parameter, Tensor]] = [(parameter, torch.zeros_like(parameter)) for parameter in parameters]
        self._decay = decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change every parameter that has a gradient, in place."""
        for parameter, total in self._sums:
            if parameter.grad is not None:
                total.mul_(_MOMENTUM).add_(_decayed(parameter, parameter.grad, self._decay))
                parameter.add_(total, alpha=-rate)


def _decayed(parameter: Tensor, gradient: Tensor, decay: float) -> Tensor:
    return gradient.add(parameter, alpha=decay) if decay else gradient
