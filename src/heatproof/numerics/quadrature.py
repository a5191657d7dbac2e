"""Quadrature on [0, 1]: nodes α_k and weights w_k with Σ_k w_k = 1, so that Σ_k w_k g(α_k) ≈ ∫ g.

right Riemann    α_k = k/n,        k = 1…n, w = 1/n        error O(1/n); the rule of the integrated-gradients paper
left Riemann     α_k = (k−1)/n,    w = 1/n                 O(1/n)
midpoint         α_k = (k−½)/n,    w = 1/n                 O(1/n²)
trapezoid        α_k = k/n,        k = 0…n, w = 1/n, halved at both ends   O(1/n²); n + 1 nodes
Gauss–Legendre   roots of the Legendre polynomial          exact for polynomials of degree 2n − 1
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from heatproof.core.settings import Settings

__all__ = ["GaussLegendre", "LeftRiemann", "Midpoint", "Quadrature", "RightRiemann", "Trapezoid"]


class Quadrature(Settings, ABC):
    """A quadrature rule on [0, 1].

    steps  the number of its intervals; for Gauss–Legendre, the number of its nodes.
    """

    home: ClassVar[str] = "heatproof.numerics.quadrature"
    family: ClassVar[str] = "quadrature"

    steps: PositiveInt = 50

    @abstractmethod
    def rule(self) -> tuple[list[float], list[float]]:
        """The nodes, in increasing order, and their weights."""

    @property
    def n_nodes(self) -> int:
        """The number of nodes."""
        return self.steps

    def nodes(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """The nodes and the weights as float64 tensors; the weights sum to 1."""
        alphas, weights = self.rule()
        return torch.tensor(alphas, dtype=torch.float64), torch.tensor(weights, dtype=torch.float64)


class RightRiemann(Quadrature):
    """The right Riemann sum, with nodes α = 1/n, 2/n, …, 1.

    >>> from heatproof.numerics.quadrature import RightRiemann
    >>> RightRiemann(steps=2).nodes()
    (tensor([0.5000, 1.0000], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [(k + 1) / n for k in range(n)], [1 / n] * n


class LeftRiemann(Quadrature):
    """The left Riemann sum, with nodes α = 0, 1/n, …, (n−1)/n.

    >>> from heatproof.numerics.quadrature import LeftRiemann
    >>> LeftRiemann(steps=2).nodes()
    (tensor([0.0000, 0.5000], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [k / n for k in range(n)], [1 / n] * n


class Midpoint(Quadrature):
    """The midpoint rule, with nodes α = 1/2n, 3/2n, …, 1 − 1/2n.

    >>> from heatproof.numerics.quadrature import Midpoint
    >>> Midpoint(steps=2).nodes()
    (tensor([0.2500, 0.7500], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [(k + 0.5) / n for k in range(n)], [1 / n] * n


class Trapezoid(Quadrature):
    """The trapezoidal rule, with nodes α = 0, 1/n, …, 1 and half weight at both ends: n intervals and n + 1 nodes.

    >>> from heatproof.numerics.quadrature import Trapezoid
    >>> Trapezoid(steps=1).nodes()
    (tensor([0., 1.], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    @property
    def n_nodes(self) -> int:
        return self.steps + 1

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [k / n for k in range(n + 1)], [0.5 / n, *[1 / n] * (n - 1), 0.5 / n]


class GaussLegendre(Quadrature):
    """Gauss–Legendre quadrature, mapped from [−1, 1] to [0, 1].

    >>> from heatproof.numerics.quadrature import GaussLegendre
    >>> alphas, weights = GaussLegendre(steps=3).nodes()
    >>> round(float((weights * alphas**5).sum()), 6), round(1 / 6, 6)  # exact for a polynomial of degree 5
    (0.166667, 0.166667)
    """

    def rule(self) -> tuple[list[float], list[float]]:
        alphas, weights = _legendre(self.steps)
        return list(alphas), list(weights)


@lru_cache
def _legendre(n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, w = np.polynomial.legendre.leggauss(n)
    return tuple((x + 1) / 2), tuple(w / 2)
