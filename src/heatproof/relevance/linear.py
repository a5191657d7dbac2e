"""The engine of the linear rules: relevance through y = L(x; W) + b, for any layer that is linear in x and in W.

    R_in = Σ_parts s Σ_terms x_t ⊙ L(·; W_t)ᵀ (R / stab(z)),    z = Σ_terms L(x_t; W_t) + b_part

A rule says which variants x_t, W_t of input and weights make up its parts; everything else is here. One vector–Jacobian product a
term; no dense matrix is ever made. What R sums to above and R_in does not below was absorbed by b and by the stabiliser.

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

    bias      broadcasts against y.
    outputs   axis of the weight that numbers the outputs; None where there is no such axis.
    axis      axis of y that numbers the outputs.
    name      of the parameter that the weight is; empty where it is none.
    box       lower and upper limit of x, for a layer that meets the input itself.
    A layer without parameters has a weight of one number, 1.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None = None
    outputs: int | None = None
    axis: int = 1
    name: str = ""
    box: tuple[Tensor, Tensor] | None = None

    def then(self, scale: Tensor, shift: Tensor, axes: int) -> "LinearLayer":
        """The layer followed by y → scale y + shift, one number each an output; the module's own weights are not touched."""
        along = [1] * self.weight.ndim
        along[self.outputs or 0] = -1
        shape = (-1, *[1] * (axes - 2))
        bias = shift.view(shape) if self.bias is None else scale.view(shape) * self.bias + shift.view(shape)
        return replace(self, weight=self.weight * scale.view(along), bias=bias)


class TermGroup(NamedTuple):
    """Terms that share a denominator.

    terms  variants (x_t, W_t).
    bias   what the denominator has besides the terms.
    share  s, the factor of the whole part.
    where  1 where the part counts, by the outputs; None = everywhere.
    """

    terms: Sequence[tuple[Tensor, Tensor]]
    bias: Tensor | float = 0.0
    share: float = 1.0
    where: Tensor | None = None


def propagate(layer: LinearLayer, parts: Sequence[TermGroup], relevance: Tensor, stabilise: Stabilise) -> Tensor:
    """Relevance of the layer's input. A term of zeros, as x⁻ after a ReLU is, gives and gets nothing: it is not computed."""
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
    """Whether all is zero, or so small that its square is; NaN is not."""
    return bool(torch.linalg.vector_norm(x) == 0)


def transposed(layer: LinearLayer, x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    """L(·; W)ᵀ R for an input shaped as x: relevance through given weights, neither divided nor multiplied by anything."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(layer.apply(at, weight), at, relevance)
    return found
