"""What a rule is: frozen settings that say how relevance passes one kind of operation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.settings import Settings
from heatproof.numerics.frozen_tensor import ALLOW_TENSORS, FrozenTensor
from heatproof.relevance.linear import LinearLayer, TermGroup, propagate, transposed


class Stabiliser(Settings):
    """Keeps a denominator away from zero, on the side it is on; sign(0) = +1.

    epsilon  how far.
    mode     norm: z + ε RMS(z) sign z, the root mean square over the sample, so that it means the same for layers of any size;
             add: z + ε sign z, as published; clip: sign z max(|z|, ε).
    """

    home: ClassVar[str] = "heatproof.relevance.rules.base"
    family: ClassVar[str] = "stabiliser"

    epsilon: NonNegativeFloat = 1e-6
    mode: Literal["rms", "add", "clip"] = "rms"

    def __call__(self, z: Tensor) -> Tensor:
        """The denominator; what is negligible without an ε becomes infinite, so that nothing flows through it."""
        if self.epsilon == 0:
            stable = z
        elif self.mode == "clip":
            stable = z.abs().clamp_min(self.epsilon).copysign(z + 0.0)  # which is never −0
        else:
            own = (2,) if z.ndim == 3 else tuple(range(1, z.ndim))  # of three axes, the first may be time and the second the batch
            size = z.square().mean(own, keepdim=True).sqrt() if self.mode == "rms" else z.new_ones(())
            stable = z + (self.epsilon * size).copysign(z + 0.0)
        return torch.where(negligible(stable), torch.inf, stable)


class Rule(Settings, ABC):
    """How relevance passes an operation."""

    home: ClassVar[str] = "heatproof.relevance.rules"
    family: ClassVar[str] = "rule"


class LinearRule(Rule, ABC):
    """A rule for layers y = L(x; W) + b."""

    @abstractmethod
    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        """Relevance of x, given that of the output."""


class LayerNormRule(LinearRule, ABC):
    """A rule also for normalisations of a sample by its own statistics, which are linear once the spread is held."""


class SharingRule(LinearRule, ABC):
    """Each input gets its share: which variants of x, W and b share the relevance out."""

    stabiliser: Stabiliser = Stabiliser()

    @abstractmethod
    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        """The parts of the rule for this input and layer."""

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        return propagate(layer, self.parts(x, layer), relevance, self.stabiliser)


class PatternRule(LinearRule, ABC):
    """Relevance flows through other weights, which were fitted to data, instead of being shared out."""

    model_config = ALLOW_TENSORS

    patterns: Mapping[str, FrozenTensor]
    project: bool = False

    @abstractmethod
    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        """What stands for the weight on the way back."""

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        found = transposed(layer, x, self.backward_weight(layer.weight, self._pattern(layer)), relevance)
        return self._projected(found, layer) if self.project else found

    def _pattern(self, layer: LinearLayer) -> Tensor:
        shape, found = list(layer.weight.shape), self.patterns.get(layer.name)
        if found is None or list(found.shape) != shape:
            got = f"those of {', '.join(self.patterns) or 'no layer'}" if found is None else f"{list(found.shape)}"
            whose = layer.name or "a weight that is no parameter"
            raise ModelError(f"{self.name}: expected a pattern {shape} for {whose}, got {got}; fit patterns to this very network")
        return found.to(layer.weight)

    def _projected(self, found: Tensor, layer: LinearLayer) -> Tensor:
        if layer.axis != 1:
            raise ModelError(
                f"{self.name}: expected layers with outputs on axis 1 to project sample by sample, got axis {layer.axis} of "
                f"{layer.name}; leave `project` off"
            )
        size = found.abs().flatten(1).amax(1).view(-1, *[1] * (found.ndim - 1))
        return found / torch.where(size > 0, size, 1)


class ActivationRule(Rule, ABC):
    """A rule for elementwise nonlinearities y = f(x)."""

    @abstractmethod
    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        """What passes down, given what comes from above; f′(x) is there for those who ask."""


class SumRule(Rule, ABC):
    """A rule for y = a + b."""

    @abstractmethod
    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        """What each term gets; terms are signed and have the shape of y."""


class SoftmaxRule(Rule, ABC):
    """A rule for p = softmax(x) along one axis."""

    @abstractmethod
    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        """What passes down, given what comes from above; masked places of x are 0 here."""


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


def negligible(x: Tensor) -> Tensor:
    """Where a value is so small that dividing by it could overflow: below 1e-19 in single precision."""
    small: Tensor = x.abs() < torch.finfo(x.dtype).tiny ** 0.5
    return small


def bias_of(layer: LinearLayer) -> Tensor | float:
    """The layer's bias, 0 if it has none."""
    return 0.0 if layer.bias is None else layer.bias
