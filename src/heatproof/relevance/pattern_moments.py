"""What data say of a layer's weights: sums over all its patches, and the pattern of each output, which they make.

    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y],    y = w · x without bias

E is the mean over all samples and positions. For the positive estimator E⁺ is the mean over those where the output is active,
that is w · x + b > 0 with the batch normalisation that follows taken in; for the linear one E⁺ = E, so that a = cov[x, y] / var[y].
The sum of x g over all patches is the vector–Jacobian product of L(x; W) with respect to W, for any layer that is linear in W:
patches are never cut out. All in float64.

An output that was never active, or whose input does not vary with it, has the pattern 0: nothing passes it.

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
"""Of the size of its terms: a denominator below that is 0."""


@dataclass(frozen=True)
class PatternMoments:
    """Sums over patches, all that a pattern needs; those of two sets of patches add up.

    weight   the layer's own, after fusing.
    outputs  axis of the weight that numbers the outputs.
    n        patches an output has seen.
    active   `[outputs]` those that count for E⁺.
    y        `[outputs]` Σ y over all.
    x, xy    shaped as the weight: Σ x and Σ x y over those that count.
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
        """Those of one batch of a layer's inputs.

        Raises:
            ModelError: A weight that is no parameter, or has no axis that numbers its outputs.
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
        """Both sets of patches together.

        Raises:
            ModelError: The weights differ: the parameter is used with and without a normalisation, or in two shapes.
        """
        if self.weight.shape != other.weight.shape or not torch.equal(self.weight, other.weight):
            raise ModelError(
                f"patterns: expected one layer for {name}, got uses that differ by shape or by the normalisation that follows; "
                "give each use a parameter of its own"
            )
        sums = {key: getattr(self, key) + getattr(other, key) for key in ("n", "active", "y", "x", "xy")}
        return PatternMoments(self.weight, self.outputs, **sums)

    def pattern(self) -> Tensor:
        """A, shaped as the weight, with w · a = 1 for every output that has one."""
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
