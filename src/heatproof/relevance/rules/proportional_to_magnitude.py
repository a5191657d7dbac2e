"""Each term of a sum y = a + b receives relevance in proportion to its magnitude.

    R_a = |a| / (|a| + |b|) R

R is the relevance of y and R_a that of the term a. Where all terms are zero, the shares are equal.

Source: heatproof. Like shares in proportion to the values, these sum to 1; but none is negative or above 1, so that relevance
does not explode where the terms nearly cancel. Otsuki et al., "Layer-wise relevance propagation with conservation property for
ResNet", ECCV 2024, split relevance by a ratio at residual connections as well.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.rules.base import SumRule


class ProportionalToMagnitude(SumRule):
    """Shares in proportion to the magnitudes of the terms: positive relevance stays positive through a residual connection."""

    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        sizes = torch.stack([term.abs() for term in terms])
        total = sizes.sum(0)
        shares = torch.where(total > 0, sizes / total, 1 / len(terms))
        return [share * above for share in shares]
