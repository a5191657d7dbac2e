"""What a composite is: which rule where."""

from abc import ABC
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from heatproof.core.settings import Settings
from heatproof.relevance.rules import (
    ActivationRule,
    Epsilon,
    Identity,
    LayerNormRule,
    LinearRule,
    ProductRule,
    ProportionalToValue,
    SignalTakeAll,
    SoftmaxRule,
    SumRule,
    Taylor,
)

LinearKind = Literal["convolution", "dense", "normalisation", "pool"]
"""Kinds of linear operations."""


class Composite(Settings, ABC):
    """A rule for every kind of operation; None is the ordinary gradient.

    first          layers with weights that no other such layer comes before, by the order in which they run.
    convolution    all other convolutions, each with the batch normalisation that follows it.
    dense          all other layers that multiply by a matrix of weights.
    normalisation  batch normalisations that follow no layer with weights.
    layer_norm     normalisations of a sample by its own statistics: identity, or epsilon of (x − mean) w / s + b with s held.
    pool           means: average pooling, mean over axes.
    activation     elementwise nonlinearities.
    sum            sums of two terms that both depend on the input.
    product        products, of values or of matrices, of two factors that both depend on the input: what share each gets. Within
                   a matrix product, that of `dense`.
    softmax        softmax, of attention or else.
    layers         rules by module name, `*` for any part of it; they go before all others.
    """

    home: ClassVar[str] = "heatproof.relevance.composites"
    family: ClassVar[str] = "composite"
    relevance: ClassVar[bool] = True
    """Whether what flows is relevance, which begins as the score; else a gradient, which begins as 1."""

    first: LinearRule | None = None
    convolution: LinearRule | None = None
    dense: LinearRule | None = None
    normalisation: LinearRule | None = None
    layer_norm: LayerNormRule | None = None
    pool: LinearRule | None = None
    activation: ActivationRule | None = None
    sum: SumRule | None = None
    product: ProductRule | None = None
    softmax: SoftmaxRule | None = None
    layers: Mapping[str, LinearRule] = {}

    def linear(self, place: LinearKind, *, first: bool, name: str) -> LinearRule | None:
        """The rule of a linear operation."""
        for pattern, rule in self.layers.items():
            if name and fnmatchcase(name, pattern):
                return rule
        if first and self.first is not None and place in ("convolution", "dense"):
            return self.first
        found: LinearRule | None = getattr(self, place)
        return found


class PlainGradient(Composite):
    """No rule anywhere: the gradient, or what takes its place where there is a reference."""

    relevance: ClassVar[bool] = False


class RelevanceComposite(Composite, ABC):
    """Layer-wise relevance propagation: no operation is left to the gradient, unless a composite says so."""

    normalisation: LinearRule | None = Epsilon()
    layer_norm: LayerNormRule | None = Identity()
    pool: LinearRule | None = Epsilon()
    activation: ActivationRule | None = Identity()
    sum: SumRule | None = ProportionalToValue()
    product: ProductRule | None = SignalTakeAll()
    softmax: SoftmaxRule | None = Taylor()
