"""The base classes of composites, which assign a rule to every kind of operation."""

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
"""The kinds of linear operations."""


class Composite(Settings, ABC):
    """A rule for every kind of operation of a network. None leaves an operation to the ordinary gradient.

    first          the rule of first layers: those with weights that no other layer with weights precedes, in the order of
                   execution.
    convolution    the rule of all other convolutions, each fused with the batch normalisation or the constants that follow it.
    dense          the rule of all other layers that multiply by a matrix of weights, likewise.
    normalisation  the rule of batch normalisations that follow no layer with weights.
    layer_norm     the rule of normalisations of a sample by its own statistics: `identity`, or `epsilon` of (x − mean) w / s + b
                   with the spread s held constant.
    pool           the rule of means: average pooling, and means over axes.
    activation     the rule of elementwise nonlinearities, also where several operations make up one.
    sum            the rule of sums of two terms that both depend on the input.
    product        the rule of products, of values or of matrices, of two factors that both depend on the input. It states the
                   share of each factor; within a matrix product, the rule of `dense` distributes that share.
    softmax        the rule of the softmax, in attention or elsewhere.
    layers         rules by the name of a module, with `*` for any part of a name. They take precedence over all others.

    >>> from heatproof.methods import Lrp
    >>> method = Lrp(composite={"name": "epsilon_plus", "first": "z_box", "layers": {"conv2": {"name": "gamma", "gamma": 0.5}}})
    >>> method.composite.first.name, method.composite.layers["conv2"].gamma, method.composite.dense.name
    ('z_box', 0.5, 'epsilon')
    """

    home: ClassVar[str] = "heatproof.relevance.composites"
    family: ClassVar[str] = "composite"
    relevance: ClassVar[bool] = True
    """Whether relevance is propagated, which starts as the score, or a gradient, which starts as 1."""

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
        """The rule of a linear operation, by its kind, whether it is a first layer, and the name of its module."""
        for pattern, rule in self.layers.items():
            if name and fnmatchcase(name, pattern):
                return rule
        if first and self.first is not None and place in ("convolution", "dense"):
            return self.first
        of_kind: LinearRule | None = getattr(self, place)
        return of_kind


class PlainGradient(Composite):
    """No rule for any operation: the ordinary gradient, or average slopes where there is a reference input (DeepLIFT)."""

    relevance: ClassVar[bool] = False


class RelevanceComposite(Composite, ABC):
    """A composite for layer-wise relevance propagation: every kind of operation has a rule, unless a composite states otherwise."""

    normalisation: LinearRule | None = Epsilon()
    layer_norm: LayerNormRule | None = Identity()
    pool: LinearRule | None = Epsilon()
    activation: ActivationRule | None = Identity()
    sum: SumRule | None = ProportionalToValue()
    product: ProductRule | None = SignalTakeAll()
    softmax: SoftmaxRule | None = Taylor()
