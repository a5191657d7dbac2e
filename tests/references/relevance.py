"""Slow twins of the linear rules: weights recovered as a dense matrix, then loops over inputs and outputs, in float64."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def dense(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """W `[outputs, inputs]` and b `[outputs]` of a layer that is affine, at one input."""
    matrix = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0].flatten(), x)
    weight = matrix.reshape(matrix.shape[0], -1)
    return weight, layer(torch.zeros_like(x)[None])[0].flatten().detach()


def held(norm: Callable[[Tensor], Tensor], x: Tensor, groups: int, centred: bool) -> tuple[Tensor, Tensor]:
    """W and b of a normalisation `[features] → [features]` with its spread at x held; means are of equal groups of features."""
    n = len(x) // groups
    centre = torch.eye(len(x), dtype=x.dtype) - (torch.block_diag(*[torch.ones(n, n).to(x) / n] * groups) if centred else 0)
    b = norm(torch.zeros_like(x))
    return torch.diag((norm(x) - b) / (centre @ x)) @ centre, b


def shared_out(x: Tensor, weight: Tensor, relevance: Tensor, share: Callable[[int, int], float]) -> Tensor:
    """R_i = Σ_j share(i, j) R_j."""
    found = torch.zeros_like(x)
    for j in range(len(relevance)):
        for i in range(len(x)):
            found[i] += share(i, j) * relevance[j]
    return found


def ratio(above: float, below: float) -> float:
    """0 where there is nothing to share by."""
    return above / below if below else 0.0


def bach_58_epsilon(x: Tensor, weight: Tensor, b: Tensor, relevance: Tensor) -> Tensor:
    z = weight @ x + b
    return shared_out(x, weight, relevance, lambda i, j: ratio(float(x[i] * weight[j, i]), float(z[j])))


def z_plus(x: Tensor, weight: Tensor, b: Tensor, relevance: Tensor) -> Tensor:
    return alpha_beta(x, weight, b, relevance, 1.0, 0.0)


def alpha_beta(x: Tensor, weight: Tensor, b: Tensor, relevance: Tensor, alpha: float, beta: float) -> Tensor:
    """Bach et al. 2015, eq. 60."""
    parts = weight * x
    up, down = parts.clamp_min(0).sum(1) + b.clamp_min(0), parts.clamp_max(0).sum(1) + b.clamp_max(0)

    def share(i: int, j: int) -> float:
        part = float(parts[j, i])
        return alpha * ratio(max(part, 0.0), float(up[j])) - beta * ratio(min(part, 0.0), float(down[j]))

    return shared_out(x, weight, relevance, share)


def gamma(x: Tensor, weight: Tensor, b: Tensor, relevance: Tensor, g: float) -> Tensor:
    """Contributions of the output's own sign count 1 + γ times."""
    z, parts = weight @ x + b, weight * x

    def favoured(part: float, output: float) -> float:
        return part * (1 + g) if part * output > 0 else part

    def share(i: int, j: int) -> float:
        output = float(z[j])
        total = sum(favoured(float(part), output) for part in parts[j]) + favoured(float(b[j]), output)
        return ratio(favoured(float(parts[j, i]), output), total)

    return shared_out(x, weight, relevance, share)


def z_box(x: Tensor, weight: Tensor, relevance: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Montavon et al. 2017, eq. 17."""
    parts = weight * x - weight.clamp_min(0) * lower - weight.clamp_max(0) * upper
    return shared_out(x, weight, relevance, lambda i, j: ratio(float(parts[j, i]), float(parts[j].sum())))


def w_square(x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    """Montavon et al. 2017, eq. 12."""
    return shared_out(x, weight, relevance, lambda i, j: ratio(float(weight[j, i] ** 2), float(weight[j].square().sum())))


def flat(x: Tensor, connected: Tensor, relevance: Tensor) -> Tensor:
    """Equal shares to the inputs that an output is connected to."""
    return shared_out(x, connected, relevance, lambda i, j: ratio(float(connected[j, i]), float(connected[j].sum())))
