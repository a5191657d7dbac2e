"""The engine of the linear rules: relevance through y = L(x; W) + b, for any layer that is linear in x and in W.

    R_in = Σ_parts s Σ_terms x_t ⊙ L(·; W_t)ᵀ (R / stab(z)),    z = Σ_terms L(x_t; W_t) + b_part

R is the relevance of the output and R_in that of the input. A rule defines its parts: the variants x_t of the input and W_t of the
weights that share a denominator z, the share s of the whole part, and the bias b_part in z. The rest is here. The bias and the
stabiliser absorb relevance, so that R_in may sum to less than R.

Cost: one vector–Jacobian product of the layer for each term; no dense matrix is ever made.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation",
PLoS ONE 2015; Montavon et al., "Layer-wise relevance propagation: an overview", 2019.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

Stabilise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LinearLayer:
    """A layer as y = apply(x, weight) + bias.

    Attributes:
        apply: The layer without its bias, linear in the input x and in the weight.
        weight: The weight; the number 1 for a layer without parameters.
        bias: The bias, which broadcasts against y; None for none.
        outputs: The axis of the weight that numbers the outputs; None where there is no such axis.
        axis: The axis of y that numbers the outputs.
        name: Name of the parameter that the weight is; empty where it is none.
        box: Lower and upper limits of x, for a layer that reads the input of the network itself.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None = None
    outputs: int | None = None
    axis: int = 1
    name: str = ""
    box: tuple[Tensor, Tensor] | None = None

    def then(self, scale: Tensor, shift: Tensor, axes: int) -> "LinearLayer":
        """The layer followed by y → scale y + shift.

        Args:
            scale: One number for each output.
            shift: Likewise.
            axes: Number of axes of y.

        Returns:
            A new layer; the module's own weights are not touched.
        """
        along = [1] * self.weight.ndim
        along[self.outputs or 0] = -1
        shape = (-1, *[1] * (axes - 2))
        bias = shift.view(shape) if self.bias is None else scale.view(shape) * self.bias + shift.view(shape)
        return replace(self, weight=self.weight * scale.view(along), bias=bias)


class TermGroup(NamedTuple):
    """The terms of one part of a rule, which share a denominator.

    Attributes:
        terms: The variants (x_t, W_t).
        bias: What is added to the terms in the denominator.
        share: The factor s of the whole part.
        where: 1 for the outputs for which the part counts, else 0; None = all outputs.
    """

    terms: Sequence[tuple[Tensor, Tensor]]
    bias: Tensor | float = 0.0
    share: float = 1.0
    where: Tensor | None = None


def propagate(layer: LinearLayer, parts: Sequence[TermGroup], relevance: Tensor, stabilise: Stabilise) -> Tensor:
    """The relevance of a layer's input.

    Args:
        layer: The layer.
        parts: The parts of the rule; a term whose input is all zeros, such as min(x, 0) after a ReLU, is not computed.
        relevance: The relevance of the layer's output.
        stabilise: Keeps a denominator away from zero.

    Returns:
        Relevance in the shape of the input.
    """
    total = torch.zeros_like(parts[0].terms[0][0])
    for part in parts:
        terms = [(x, weight) for x, weight in part.terms if not _empty(x)]
        if not terms:
            continue
        with torch.enable_grad():
            inputs = [x.detach().requires_grad_() for x, _ in terms]
            outputs = [layer.apply(x, weight) for x, (_, weight) in zip(inputs, terms, strict=True)]
            z = reduce(torch.add, [y.detach() for y in outputs]) + part.bias
            above = relevance if part.where is None else relevance * part.where
            flow = part.share * above / stabilise(z)
            grads = torch.autograd.grad(outputs, inputs, [flow] * len(outputs), allow_unused=True, materialize_grads=True)
        for x, grad in zip(inputs, grads, strict=True):
            total.addcmul_(x.detach(), grad)
    return total


def _empty(x: Tensor) -> bool:
    """Whether all values are zero, or so small that their squares are; NaN counts as a value."""
    return bool(torch.linalg.vector_norm(x) == 0)


def transposed(layer: LinearLayer, x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    """L(·; W)ᵀ R: relevance passed back through given weights, with no denominator and no factor, for an input shaped as x."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (below,) = torch.autograd.grad(layer.apply(at, weight), at, relevance)
    return below
