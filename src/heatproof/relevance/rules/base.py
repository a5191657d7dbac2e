"""The base classes of rules: frozen settings that state how relevance is propagated through one kind of operation."""

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
    """Keeps the denominator z of a rule away from zero, on the side of zero where it is; the sign of 0 counts as +1.

    epsilon  the size ε of the stabiliser: relative to the outputs with mode `rms`, absolute otherwise. 0 switches it off.
    mode     `rms`: z + ε RMS(z) sign z, where RMS is the root mean square over the values of the sample, so that ε means the same
             for layers of any size. `add`: z + ε sign z, as published (Bach et al. 2015, eq. 58). `clip`: sign z max(|z|, ε).

    >>> import torch
    >>> from heatproof.relevance.rules import Stabiliser
    >>> Stabiliser(epsilon=0.5, mode="add")(torch.tensor([[2.0, -2.0, 0.0]]))
    tensor([[ 2.5000, -2.5000,  0.5000]])
    """

    home: ClassVar[str] = "heatproof.relevance.rules.base"
    family: ClassVar[str] = "stabiliser"

    epsilon: NonNegativeFloat = 1e-6
    mode: Literal["rms", "add", "clip"] = "rms"

    def __call__(self, z: Tensor) -> Tensor:
        """The stabilised denominator. A value too small to divide by becomes infinite, so that no relevance flows through it."""
        if self.epsilon == 0:
            stable = z
        elif self.mode == "clip":
            stable = z.abs().clamp_min(self.epsilon).copysign(z + 0.0)  # z + 0.0 is never −0
        else:
            own = (2,) if z.ndim == 3 else tuple(range(1, z.ndim))  # of three axes, the first may be time and the second the batch
            size = z.square().mean(own, keepdim=True).sqrt() if self.mode == "rms" else z.new_ones(())
            stable = z + (self.epsilon * size).copysign(z + 0.0)
        return torch.where(negligible(stable), torch.inf, stable)


class Rule(Settings, ABC):
    """A rule for one kind of operation.

    A rule is built by its class, or by its name, as composites take it:

    >>> from heatproof.relevance.rules import Epsilon, Rule
    >>> Rule.from_dict("epsilon") == Epsilon()
    True
    >>> Rule.from_dict({"name": "alpha_beta", "alpha": 1, "beta": 0})
    AlphaBeta(stabiliser=Stabiliser(epsilon=1e-06, mode='rms'), alpha=1.0, beta=0.0, bias=True)
    """

    home: ClassVar[str] = "heatproof.relevance.rules"
    family: ClassVar[str] = "rule"


class LinearRule(Rule, ABC):
    """A rule for layers y = L(x; W) + b, which are linear in the input x and in the weights W."""

    @abstractmethod
    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        """The relevance of the input x, given the relevance of the output."""


class LayerNormRule(LinearRule, ABC):
    """A rule that also applies to layer normalisation and the like.

    A normalisation of a sample by its own statistics is a linear layer once its spread is held constant.
    """


class SharingRule(LinearRule, ABC):
    """A rule that gives every input a share of the relevance of an output.

    The shares come from variants of x, W and b, which a subclass states in `parts`; `relevance/linear.py` computes them.
    """

    stabiliser: Stabiliser = Stabiliser()

    @abstractmethod
    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        """The groups of terms that the rule sums for this input and layer, each with its own denominator."""

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        return propagate(layer, self.parts(x, layer), relevance, self.stabiliser)


class PatternRule(LinearRule, ABC):
    """A rule that propagates relevance through weights of its own, which were fitted to data, instead of computing shares.

    patterns  the patterns, by the name of the parameter that they belong to and in its shape.
    project   whether the signal at the input of a layer is scaled to [−1, 1], image by image.
    """

    model_config = ALLOW_TENSORS

    patterns: Mapping[str, FrozenTensor]
    project: bool = False

    @abstractmethod
    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        """The weight that the backward pass uses in place of the layer's weight."""

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        signal = transposed(layer, x, self.backward_weight(layer.weight, self._pattern(layer)), relevance)
        return self._projected(signal, layer) if self.project else signal

    def _pattern(self, layer: LinearLayer) -> Tensor:
        shape, pattern = list(layer.weight.shape), self.patterns.get(layer.name)
        if pattern is None or list(pattern.shape) != shape:
            got = f"those of {', '.join(self.patterns) or 'no layer'}" if pattern is None else f"{list(pattern.shape)}"
            whose = layer.name or "a weight that is no parameter"
            raise ModelError(f"{self.name}: expected a pattern {shape} for {whose}, got {got}; fit patterns to this very network")
        return pattern.to(layer.weight)

    def _projected(self, signal: Tensor, layer: LinearLayer) -> Tensor:
        if layer.axis != 1:
            raise ModelError(
                f"{self.name}: expected layers with outputs on axis 1 to project sample by sample, got axis {layer.axis} of "
                f"{layer.name}; leave `project` off"
            )
        size = signal.abs().flatten(1).amax(1).view(-1, *[1] * (signal.ndim - 1))
        return signal / torch.where(size > 0, size, 1)


class ActivationRule(Rule, ABC):
    """A rule for elementwise nonlinearities y = f(x)."""

    @abstractmethod
    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        """What is propagated to the input.

        Args:
            x: the input of the nonlinearity.
            derivative: computes f′(x), for rules that need it.
            above: the relevance, or the gradient, of the output.

        Returns:
            The relevance, or the gradient, of x.
        """


class SumRule(Rule, ABC):
    """A rule for sums y = a + b of two terms that both depend on the input."""

    @abstractmethod
    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        """The relevance of each term, given that of y. The terms carry their sign and have the shape of y."""


class SoftmaxRule(Rule, ABC):
    """A rule for p = softmax(x) along one axis."""

    @abstractmethod
    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        """The relevance of x, given the relevance `above` of p. Masked positions of x are 0 here."""


class ProductRule(Rule, ABC):
    """A rule for products of two factors that both depend on the input. If one factor is constant, the other receives all
    relevance.
    """

    @abstractmethod
    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        """The share of each factor. `gates` states which of the factors is the output of a sigmoid, a softmax or the like."""


def positive(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return x.clamp_min(0)


def negative(x: Tensor) -> Tensor:
    """min(x, 0)."""
    return x.clamp_max(0)


def negligible(x: Tensor) -> Tensor:
    """Where a value is so small that dividing by it could overflow: below about 1e-19 in single precision."""
    small: Tensor = x.abs() < torch.finfo(x.dtype).tiny ** 0.5
    return small


def bias_of(layer: LinearLayer) -> Tensor | float:
    """The bias of the layer; 0 if it has none."""
    return 0.0 if layer.bias is None else layer.bias
