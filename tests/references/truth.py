"""The metrics of known truth, one pixel and one image at a time, float64."""

import numpy as np
import torch
from torch import Tensor

from heatproof.models import Model


def object_share(values: Tensor, region: Tensor) -> float:
    """Yang & Kim, section 4: positive parts summed over channels, scaled from the minimum to the 99th percentile, averaged."""
    flat = values.double().clamp(min=0).sum(0).numpy()
    low, high = flat.min(), np.percentile(flat, 99)
    inside = [min((flat[i, j] - low) / (high - low), 1.0) for i, j in np.argwhere(region.numpy())]
    return float(sum(inside) / len(inside))


def patch(model: Model, image: Tensor, scene: Tensor, region: Tensor, steps: int, length: float) -> Tensor:
    """The scene with the iterate of the least loss, whose derivative is taken by autograd of the whole formula at once."""
    lower, upper = (bound.view(-1, 1, 1).double() for bound in (model.bounds.lower, model.bounds.upper))
    pixels, delta = 255 * (scene - lower) / (upper - lower), 255 * (image - scene) / (upper - lower) * region
    iterates: list[tuple[float, Tensor]] = []
    for _ in range(steps):
        at = delta.clone().requires_grad_()
        patched = pixels + at
        change = model.outputs((patched / 255 * (upper - lower) + lower)[None]) - model.outputs(scene[None])
        penalty = torch.where(patched < 0, -patched, torch.where(patched > 255, patched - 255, torch.zeros_like(patched))).sum()
        loss = change.square().sum().sqrt() - 0.01 * at.square().sum().sqrt() + 0.01 * penalty
        loss.backward()
        iterates.append((loss.item(), delta))
        assert at.grad is not None
        delta = (delta - length * at.grad) * region
    best = min(iterates, key=lambda pair: pair[0])[1]
    return (pixels + best).clamp(0, 255) / 255 * (upper - lower) + lower


def grid_pointing(values: Tensor, region: Tensor) -> float:
    """Rao et al., equation 1: the positive sum over channels in the cell, as a share of that in the mosaic."""
    inside = whole = 0.0
    for i in range(region.shape[0]):
        for j in range(region.shape[1]):
            positive = max(float(values[:, i, j].double().sum()), 0.0)
            inside, whole = inside + positive * bool(region[i, j]), whole + positive
    return inside / whole


def gradient_seeing(model: Model, image: Tensor, region: Tensor, target: int, sees: str) -> Tensor:
    """The gradient of the three-block network, layer by layer, with the rest of the image or of the last convolution hidden."""
    at = image[None].clone().requires_grad_()
    layers = dict(model.module.named_children())
    x = at * region if sees == "cell" else at
    for name, layer in layers.items():
        x = layer(x)
        if name == "relu3" and sees == "features":
            side = len(region) // x.shape[-1]
            x = x * (region.unflatten(0, (-1, side)).unflatten(2, (-1, side)).mean((1, 3)) >= 0.5)
    x[0, target].backward()
    assert at.grad is not None
    return at.grad[0]
