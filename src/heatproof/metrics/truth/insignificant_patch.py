"""A patch in the shape of an object that leaves a network's outputs as they are.

    δ = argmin ‖f(s + δ) − f(s)‖₂ − α ‖δ‖₂ + α Σ_i [max(0, l − s_i − δ_i) + max(0, s_i + δ_i − u)]

s is the scene in pixels from l = 0 to u = 255, f are the network's outputs, α = 0.01, and δ is zero outside the object. The search
begins with the pixels of the object and takes gradient steps. Of all iterates the one of the least value is returned, cut to the
legal values.

Cost: n + 1 forward and n backward passes for n steps.
Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019, and its code: 300 steps of length
500.
Differs from the code because pixels are penalised for lying outside the legal values rather than inside them; because the best
iterate is returned rather than the last; and because the search begins with the object in its place, rather than with its pixels
added to those of the scene.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.places import per_image
from heatproof.passes.counting import record_rows
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.memory import in_chunks

ALPHA = 0.01
WHITE = 255.0


def insignificant_patch(
    model: Model,
    images: Float[Tensor, "b c h w"],
    scenes: Float[Tensor, "b c h w"],
    inside: Bool[Tensor, "b h w"],
    steps: int,
    length: float,
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, " b"]]:
    """The scenes with a patch that the network does not react to, and how far its outputs move, ‖f(s + δ) − f(s)‖₂ / ‖f(s)‖₂.

    Args:
        model: The network.
        images: The images with their objects, in model space.
        scenes: The same images without them.
        inside: The places of the objects.
        steps: The number of gradient steps.
        length: The length of a step, in pixels from 0 to 255.
    """

    def compute(rows: range) -> tuple[Tensor, Tensor]:
        part = slice(rows.start, rows.stop)
        return _patched(model, images[part], scenes[part], inside[part], steps, length)

    found = [result for _, result in in_chunks(model, images, len(images), compute, "gradient")]
    patched, moved = zip(*found, strict=True)
    return torch.cat(patched), torch.cat(moved)


def _patched(model: Model, images: Tensor, scenes: Tensor, inside: Tensor, steps: int, length: float) -> tuple[Tensor, Tensor]:
    lower, upper = model.bounds.like(images)
    unit = (upper - lower) / WHITE
    scene, mask = (scenes - lower) / unit, inside[:, None].to(images)
    delta = (images - scenes) / unit * mask
    best, least, moved = delta, torch.full_like(delta[:, 0, 0, 0], torch.inf), torch.zeros_like(delta[:, 0, 0, 0])
    with torch.inference_mode(False), torch.no_grad(), model.running():
        clean = model.outputs(scenes.clone()).detach().clone()
    record_rows(forward=len(images))
    for _ in range(steps):
        with torch.inference_mode(False), torch.enable_grad(), model.running():
            at = delta.clone().requires_grad_()
            pixels = scene + at
            outputs = model.outputs(pixels * unit + lower)
            check_differentiable(model, outputs)
            distance = (outputs - clean).flatten(1).norm(dim=1)
            beyond = ((-pixels).relu() + (pixels - WHITE).relu()).flatten(1).sum(1)
            loss = distance - ALPHA * at.flatten(1).norm(dim=1) + ALPHA * beyond
            (slope,) = torch.autograd.grad(loss.sum(), at)
        record_rows(forward=len(images), backward=len(images))
        loss, distance = loss.detach(), distance.detach()
        better = loss < least
        best, least = torch.where(per_image(better, delta), delta, best), torch.where(better, loss, least)
        moved = torch.where(better, distance / clean.flatten(1).norm(dim=1), moved)
        delta = (delta - length * slope.nan_to_num(0)) * mask
    return ((scene + best).clamp(0, WHITE) * unit + lower).detach(), moved
