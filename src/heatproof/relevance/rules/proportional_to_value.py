"""LRP-ε for sums y = a + b: each term receives relevance in proportion to its value.

    R_a = a / (y + ε sign y) R

R is the relevance of y, R_a that of the term a, and ε the stabiliser.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015, eq. 58 with weights of 1.
"""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from heatproof.relevance.rules.base import Stabiliser, SumRule


class ProportionalToValue(SumRule):
    """Shares in proportion to the values of the terms, which are large where the terms nearly cancel.

    stabiliser  the stabiliser of the sums y.
    """

    stabiliser: Stabiliser = Stabiliser()

    def backward(self, terms: Sequence[Tensor], above: Tensor) -> list[Tensor]:
        flow = above / self.stabiliser(reduce(torch.add, terms))
        return [term * flow for term in terms]
