"""Streaming mean and sum of squared deviations, one sample at a time, stable where E[a²] − E[a]² would cancel.

    mean ← mean + (a − mean) / n,   m2 ← m2 + (a − mean_old)(a − mean_new)

Source: Welford 1962; merging of two states: Chan, Golub & LeVeque 1979.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from heatproof.numerics.wide import wide_type


@dataclass
class RunningMoments:
    """The moments of tensors `a` that arrive in any order; `mean` and `m2` have the shape of one batch `[b, …]`.

    >>> import torch
    >>> from heatproof.numerics.running_moments import RunningMoments
    >>> moments = RunningMoments.like(torch.zeros(1, 2))
    >>> for row in torch.tensor([[1.0, 5.0], [3.0, 5.0]]):
    ...     moments.add(0, row)
    >>> moments.mean, moments.variance
    (tensor([[2., 5.]]), tensor([[2., 0.]]))
    """

    mean: Tensor
    m2: Tensor
    count: Tensor
    spread: bool = True
    """Whether m2 is updated; without it only the mean is valid."""

    @classmethod
    def like(cls, batch: Tensor, *, spread: bool = True) -> Self:
        """An empty state for images shaped as `batch`, in float32 where these are in half precision."""
        mean, m2 = torch.zeros(2, *batch.shape, dtype=wide_type(batch.dtype), device=batch.device)
        return cls(mean, m2, torch.zeros(len(batch), dtype=torch.long), spread)

    def add(self, sample: int, row: Tensor) -> None:
        """Add one tensor to the moments of the image at position `sample`."""
        self.count[sample] += 1
        before = row.to(self.mean) - self.mean[sample]
        self.mean[sample].add_(before, alpha=1 / self.count[sample].item())
        if self.spread:
            self.m2[sample].addcmul_(before, row.to(self.mean) - self.mean[sample])

    def merge(self, other: "RunningMoments") -> "RunningMoments":
        """The moments of the tensors of both states together."""
        axes = (-1, *[1] * (self.mean.ndim - 1))
        mine, theirs = (state.count.view(axes).to(self.mean) for state in (self, other))
        total = (mine + theirs).clamp_min(1)
        gap = other.mean - self.mean
        m2 = self.m2 + other.m2 + gap.square() * mine * theirs / total if self.spread else self.m2
        return RunningMoments(self.mean + gap * theirs / total, m2, self.count + other.count, self.spread)

    @property
    def variance(self) -> Tensor:
        """The unbiased variance; zero where fewer than two tensors were added."""
        return self.m2 / (self.count - 1).clamp_min(1).view(-1, *[1] * (self.mean.ndim - 1)).to(self.mean)
