"""Ridge regression with weights and an intercept, its R² and the standard errors of its coefficients.

    minimise over β, β₀   Σ_k w_k (y_k − β₀ − x_k·β)² + λ ‖β‖²

With x and y less their weighted means, β = A⁻¹ Σ w x y, A = Σ w x xᵀ + λ I; where A is singular, the solution of least norm.

    R² = 1 − Σ w r² / Σ w y²     SE² = diag(A⁻¹ C A⁻¹),   C = n / (n − 1) Σ_k (u_k − ū)(u_k − ū)ᵀ,   u_k = w_k x_k r_k / √(1 − h_k)

r are the residuals and h_k = w_k (1 / Σ w + x_k·A⁻¹ x_k). SE is the error over independent rows x_k, whatever the true function is
(HC2: MacKinnon & White 1985).
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class RidgeFit(NamedTuple):
    """coefficients `[b, m]`, standard errors `[b, m]`, and R² `[b]`, NaN where y is the same in every row."""

    coefficients: Float[Tensor, "b m"]
    standard_error: Float[Tensor, "b m"]
    r_squared: Float[Tensor, " b"]


def weighted_ridge(
    x: Bool[Tensor, "n_designs n m"] | Float[Tensor, "n_designs n m"],
    y: Float[Tensor, "b n"],
    weights: Float[Tensor, "n_designs n"],
    ridge: float,
) -> RidgeFit:
    """The fit in float64. One factorisation serves all b where x and the weights are the same for all, `[1, …]`.

    >>> import torch
    >>> from heatproof.numerics.weighted_ridge import weighted_ridge
    >>> x = torch.tensor([[[0.0], [1.0], [2.0]]])
    >>> fit = weighted_ridge(x, torch.tensor([[1.0, 3.0, 5.0]]), torch.ones(1, 3), ridge=0.0)
    >>> fit.coefficients, fit.r_squared
    (tensor([[2.]], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """
    x, y, w = x.double(), y.double(), weights.double()[..., None]
    n, m = x.shape[1:]
    x = x - (w * x).sum(1, keepdim=True) / w.sum(1, keepdim=True)
    y = (y - y[:, :1])[..., None]
    constant = (y == 0).all(1)[:, 0]
    y = y - (w * y).sum(1, keepdim=True) / w.sum(1, keepdim=True)
    gram = x.mT @ (w * x) + ridge * torch.eye(m, dtype=torch.double, device=x.device)
    inverse = torch.linalg.pinv(gram, hermitian=True)
    coefficients = inverse @ (x.mT @ (w * y))
    residual = y - x @ coefficients
    xa = x @ inverse
    leverage = w * (1 / w.sum(1, keepdim=True) + (xa * x).sum(2, keepdim=True))
    u = xa * (w * residual / (1 - leverage).clamp(min=1e-6).sqrt())
    variance = (u - u.mean(1, keepdim=True)).square().sum(1) * n / max(n - 1, 1)
    unexplained, all_of_it = ((w * each.square()).sum((1, 2)) for each in (residual, y))
    r_squared = torch.where(constant, torch.nan, 1 - unexplained / all_of_it)
    return RidgeFit(coefficients[..., 0], variance.sqrt(), r_squared)
