"""Sums y = a + b: each term gets its share of the magnitudes, |a| / (|a| + |b|) R; equal shares where all are zero.

Source: conserves as the shares by value do, but no share is negative or above 1, so that nothing blows up where terms cancel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.rules.base import SumRule


class ProportionalToMagnitude(SumRule):
    """Positive relevance stays positive through a residual connection."""

    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        sizes = torch.stack([term.abs() for term in terms])
        total = sizes.sum(0)
        shares = torch.where(total > 0, sizes / total, 1 / len(terms))
        return [share * above for share in shares]
