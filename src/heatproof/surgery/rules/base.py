"""What a rule is: frozen settings that say how relevance passes one kind of operation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from heatproof.core.spec import Settings
from heatproof.surgery.linear import Linear, Part, propagate


class Stabiliser(Settings):
    """Keeps a denominator away from zero, on the side it is on; sign(0) = +1.

    epsilon  how far.
    mode     norm: z + ε RMS(z) sign z, the root mean square over the sample, so that it means the same for layers of any size;
             add: z + ε sign z, as published; clip: sign z max(|z|, ε).
    """

    home: ClassVar[str] = "heatproof.surgery.rules.base"
    family: ClassVar[str] = "stabiliser"

    epsilon: NonNegativeFloat = 1e-6
    mode: Literal["norm", "add", "clip"] = "norm"

    def __call__(self, z: Tensor) -> Tensor:
        """The denominator; exact zeros without an ε become infinite, so that nothing flows through them."""
        sign = torch.where(z >= 0, 1.0, -1.0).to(z)
        if self.mode == "clip":
            stable = sign * z.abs().clamp_min(self.epsilon)
        else:
            own = (2,) if z.ndim == 3 else tuple(range(1, z.ndim))  # of three axes, the first may be time and the second the batch
            size = z.square().mean(own, keepdim=True).sqrt() if self.mode == "norm" else 1.0
            stable = z + self.epsilon * size * sign
        return torch.where(stable == 0, torch.inf, stable)


class Rule(Settings, ABC):
    """How relevance passes an operation."""

    home: ClassVar[str] = "heatproof.surgery.rules"
    family: ClassVar[str] = "rule"


class LinearRule(Rule, ABC):
    """A rule for layers y = L(x; W) + b: which variants of x, W and b share the relevance out."""

    stabiliser: Stabiliser = Stabiliser()

    @abstractmethod
    def parts(self, x: Tensor, layer: Linear) -> Sequence[Part]:
        """The parts of the rule for this input and layer."""

    def backward(self, x: Tensor, layer: Linear, relevance: Tensor) -> Tensor:
        """Relevance of x, given that of the output."""
        return propagate(layer, self.parts(x, layer), relevance, self.stabiliser)


class ActivationRule(Rule, ABC):
    """A rule for elementwise nonlinearities y = f(x)."""

    @abstractmethod
    def backward(self, x: Tensor, y: Tensor, derivative: Tensor, above: Tensor) -> Tensor:
        """What passes down, given what comes from above, and f′(x)."""


class SumRule(Rule, ABC):
    """A rule for y = a + b."""

    @abstractmethod
    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        """What each term gets; terms are signed and have the shape of y."""


class ProductRule(Rule, ABC):
    """A rule for products of two factors that both depend on the input; a constant factor passes everything on."""

    @abstractmethod
    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        """The share of each factor; `gates` says which of them came out of a sigmoid or its like."""


def positive(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return x.clamp_min(0)


def negative(x: Tensor) -> Tensor:
    """min(x, 0)."""
    return x.clamp_max(0)


def bias_of(layer: Linear) -> Tensor | float:
    """The layer's bias, 0 if it has none."""
    return 0.0 if layer.bias is None else layer.bias
