"""Slow twins of the activation maps: one image, loops over channels and positions, in float64, from the formulas of the papers.

A network comes as two functions, before and after the layer, so that nothing here looks into a running one.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Before = Callable[[Tensor], Tensor]
"""Image `[c, h, w]` → activation `[k, h, w]`."""
After = Callable[[Tensor], Tensor]
"""Activation `[k, h, w]` → one number."""


def gradient_at(after: After, activation: Tensor) -> Tensor:
    leaf = activation.detach().clone().requires_grad_()
    return torch.autograd.grad(after(leaf), leaf)[0]


def relu(a: Tensor) -> Tensor:
    return torch.where(a > 0, a, 0.0)


def weighed(activation: Tensor, weights: list[float]) -> Tensor:
    total = torch.zeros(activation.shape[1:], dtype=torch.float64)
    for channel, weight in zip(activation, weights, strict=True):
        total += weight * channel
    return total


def eq_1_and_2_grad_cam(after: After, activation: Tensor) -> Tensor:
    """Selvaraju et al., ICCV 2017."""
    gradient = gradient_at(after, activation)
    return relu(weighed(activation, [g.sum().item() / g.numel() for g in gradient]))


def grad_cam_plus_plus(after: After, activation: Tensor) -> Tensor:
    """Chattopadhay et al., WACV 2018, less the factor exp(f) of its score."""
    weights = []
    for channel, gradient in zip(activation, gradient_at(after, activation), strict=True):
        total, weight = channel.sum().item(), 0.0
        for g in gradient.flatten().tolist():
            denominator = 2 * g**2 + total * g**3
            weight += g**2 / denominator * max(g, 0) if denominator != 0 else 0.0
        weights.append(weight)
    return relu(weighed(activation, weights))


def hires_cam(after: After, activation: Tensor) -> Tensor:
    """Draelos & Carin, 2020."""
    gradient = gradient_at(after, activation)
    return by_position(activation, lambda a, g: a * g, gradient)


def layer_cam(after: After, activation: Tensor) -> Tensor:
    """Jiang et al., 2021."""
    gradient = gradient_at(after, activation)
    return relu(by_position(activation, lambda a, g: max(g, 0.0) * a, gradient))


def xgrad_cam(after: After, activation: Tensor) -> Tensor:
    """Fu et al., BMVC 2020."""
    gradient = gradient_at(after, activation)
    sums = [(channel.sum().item(), (channel * g).sum().item()) for channel, g in zip(activation, gradient, strict=True)]
    return weighed(activation, [product / total if total != 0 else 0.0 for total, product in sums])


def eigen_cam(activation: Tensor, *, centred: bool) -> Tensor:
    """Muhammad & Yeasin, IJCNN 2020: the direction of v₁ by the eigenvectors of OᵀO."""
    matrix = activation.flatten(1).numpy().T
    if centred:
        matrix = matrix - matrix.mean(0)
    component = matrix @ np.linalg.eigh(matrix.T @ matrix)[1][:, -1]
    return torch.from_numpy(component * (-1 if component @ matrix.sum(1) < 0 else 1)).view(activation.shape[1:])


def score_cam(before: Before, after: After, image: Tensor) -> Tensor:
    """Wang et al., 2020."""
    activation = before(image)
    found = []
    for channel in activation:
        wide = bilinear(channel, image.shape[1], image.shape[2])
        low, high = wide.min(), wide.max()
        mask = (wide - low) / (high - low) if high > low else torch.zeros_like(wide)
        found.append(after(before(image * mask)).item())
    exponentials = [math.exp(score - max(found)) for score in found]
    return relu(weighed(activation, [e / sum(exponentials) for e in exponentials]))


def ablation_cam(after: After, activation: Tensor) -> Tensor:
    """Desai & Ramaswamy, WACV 2020, without the division by f."""
    clean, weights = after(activation).item(), []
    for k in range(len(activation)):
        silent = activation.clone()
        silent[k] = 0
        weights.append(clean - after(silent).item())
    return relu(weighed(activation, weights))


def by_position(activation: Tensor, term: Callable[[float, float], float], gradient: Tensor) -> Tensor:
    total = torch.zeros(activation.shape[1:], dtype=torch.float64)
    for k, i, j in np.ndindex(*activation.shape):
        total[i, j] += term(activation[k, i, j].item(), gradient[k, i, j].item())
    return total


def bilinear(grid: Tensor, height: int, width: int) -> Tensor:
    """Half-pixel centres, border values repeated."""
    rows, columns = interpolation(grid.shape[0], height), interpolation(grid.shape[1], width)
    return rows @ grid @ columns.T


def interpolation(old: int, new: int) -> Tensor:
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        at = min(max((i + 0.5) * old / new - 0.5, 0.0), old - 1.0)
        left = min(int(at), max(old - 2, 0))
        matrix[i, left] += 1 - (at - left)
        matrix[i, min(left + 1, old - 1)] += at - left
    return matrix
