"""Moments of a layer's input patches and outputs over a data set, and the pattern of each output that follows from them.

    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y],    y = w · x without bias

a is the pattern of one output, x a patch of the input (the values that the output reads), w its weights. E is the mean over all
samples and positions. For the positive estimator, E⁺ is the mean over the patches for which the output is active, that is
w · x + b > 0 after the batch normalisation that follows; for the linear estimator E⁺ = E, so that a = cov[x, y] / var[y]. For a
layer L(x; W) that is linear in W, the sum of x g over all patches is the vector–Jacobian product with respect to W, so that patches
are never cut out. All sums are in float64.

An output that is never active, or that does not vary with its input, has the pattern 0 and passes nothing back.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.linear import LinearLayer

Estimator = Literal["positive", "linear"]
ROUNDING = 1e-12
"""A denominator below this share of the size of its terms counts as zero."""


@dataclass(frozen=True)
class PatternMoments:
    """The sums over patches that a pattern is computed from. The sums of two sets of patches can be added.

    Attributes:
        weight: The layer's weight, with the batch normalisation that follows fused into it.
        outputs: The axis of the weight that numbers the outputs.
        n: Number of patches of each output.
        active: `[outputs]`, the number of patches that count for E⁺.
        y: `[outputs]`, Σ y over all patches.
        x: Σ x over the patches that count, in the shape of the weight.
        xy: Σ x y over the patches that count, likewise.
    """

    weight: Tensor
    outputs: int
    n: int
    active: Tensor
    y: Tensor
    x: Tensor
    xy: Tensor

    @classmethod
    def of(cls, layer: LinearLayer, x: Tensor, estimator: Estimator) -> "PatternMoments":
        """The moments of one batch.

        Args:
            layer: The layer.
            x: A batch of its inputs.
            estimator: Which patches count for E⁺: those with an active output, or all.

        Raises:
            ModelError: The weight is no parameter, or has no axis that numbers its outputs.
        """
        if not layer.name or layer.outputs is None:
            raise ModelError(
                f"patterns: expected layers that multiply by a parameter with an axis for its outputs, got "
                f"{layer.name or 'a weight made on the way'} {list(layer.weight.shape)}; write that part with nn.Linear or a "
                "convolution (transposed ones without groups)"
            )
        with torch.enable_grad():
            weight = layer.weight.detach().double().requires_grad_()
            output = layer.apply(x.detach().double(), weight)
            y = output.detach()
            counts = torch.ones_like(y) if estimator == "linear" else (y + _bias(layer) > 0).to(y)
            sums = [torch.autograd.grad(output, weight, g, retain_graph=True)[0] for g in (counts, counts * y)]
        active, total = (each.movedim(layer.axis, 0).flatten(1).sum(1) for each in (counts, y))
        return cls(weight.detach(), layer.outputs, y.numel() // len(total), active, total, *sums)

    def plus(self, other: "PatternMoments", name: str) -> "PatternMoments":
        """The moments of both sets of patches together.

        Args:
            other: The moments of the other set.
            name: Name of the parameter, for messages.

        Raises:
            ModelError: The weights differ, since the parameter is used with and without a normalisation, or in two shapes.
        """
        if self.weight.shape != other.weight.shape or not torch.equal(self.weight, other.weight):
            raise ModelError(
                f"patterns: expected one layer for {name}, got uses that differ by shape or by the normalisation that follows; "
                "give each use a parameter of its own"
            )
        sums = {key: getattr(self, key) + getattr(other, key) for key in ("n", "active", "y", "x", "xy")}
        return PatternMoments(self.weight, self.outputs, **sums)

    def pattern(self) -> Tensor:
        """The patterns in the shape of the weight, with w · a = 1 for every output whose pattern is not 0."""
        along, others = [1] * self.weight.ndim, [axis for axis in range(self.weight.ndim) if axis != self.outputs]
        along[self.outputs] = -1
        active, mean = self.active.clamp_min(1).view(along), (self.y / self.n).view(along)
        c = (self.xy - self.x * mean) / active
        size = (self.weight * self.xy / active).abs().sum(others, keepdim=True)
        denominator = (self.weight * c).sum(others, keepdim=True)
        known = denominator.abs() > ROUNDING * size
        return torch.where(known, c / torch.where(known, denominator, 1), 0)


def _bias(layer: LinearLayer) -> Tensor | float:
    return 0.0 if layer.bias is None else layer.bias.detach().double()
