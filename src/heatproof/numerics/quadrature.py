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
    """A rule with `steps` intervals (for Gauss–Legendre: nodes)."""

    home: ClassVar[str] = "heatproof.numerics.quadrature"
    family: ClassVar[str] = "quadrature"

    steps: PositiveInt = 50

    @abstractmethod
    def rule(self) -> tuple[list[float], list[float]]:
        """Nodes and weights, nodes increasing."""

    @property
    def n_nodes(self) -> int:
        """How many nodes the rule has."""
        return self.steps

    def nodes(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Nodes and weights as float64 tensors; the weights sum to 1."""
        alphas, weights = self.rule()
        return torch.tensor(alphas, dtype=torch.float64), torch.tensor(weights, dtype=torch.float64)


class RightRiemann(Quadrature):
    """α = 1/n, 2/n, …, 1."""

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [(k + 1) / n for k in range(n)], [1 / n] * n


class LeftRiemann(Quadrature):
    """α = 0, 1/n, …, (n−1)/n."""

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [k / n for k in range(n)], [1 / n] * n


class Midpoint(Quadrature):
    """α = 1/2n, 3/2n, 5/2n and so on."""

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [(k + 0.5) / n for k in range(n)], [1 / n] * n


class Trapezoid(Quadrature):
    """α = 0, 1/n, …, 1, the ends at half weight: n intervals, n + 1 nodes."""

    @property
    def n_nodes(self) -> int:
        return self.steps + 1

    def rule(self) -> tuple[list[float], list[float]]:
        n = self.steps
        return [k / n for k in range(n + 1)], [0.5 / n, *[1 / n] * (n - 1), 0.5 / n]


class GaussLegendre(Quadrature):
    """Gauss–Legendre nodes mapped to [0, 1]."""

    def rule(self) -> tuple[list[float], list[float]]:
        alphas, weights = _legendre(self.steps)
        return list(alphas), list(weights)


@lru_cache
def _legendre(n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, w = np.polynomial.legendre.leggauss(n)
    return tuple((x + 1) / 2), tuple(w / 2)
