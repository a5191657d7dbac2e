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
