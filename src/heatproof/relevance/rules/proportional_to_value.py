"""Sums y = a + b: each term gets its share of the value, a / (y + ε sign y) R.

Source: Bach et al., PLoS ONE 2015, eq. 58 with weights 1.
"""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from heatproof.relevance.rules.base import Stabiliser, SumRule


class ProportionalToValue(SumRule):
    """What LRP-ε makes of a residual connection. Shares are large where the terms nearly cancel.

    stabiliser  of the sums y.
    """

    stabiliser: Stabiliser = Stabiliser()

    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        flow = above / self.stabiliser(reduce(torch.add, terms))
        return [term * flow for term in terms]
