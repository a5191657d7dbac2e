"""Checks of images and targets: inputs that would give a wrong map are refused with the remedy."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.core.settings import Settings
from heatproof.models.classes import NO_CLASS, default_target, number_of_classes
from heatproof.models.model import Model
from heatproof.models.outputs import Regression
from heatproof.numerics.finite import finite
from heatproof.passes.forward import raw_outputs
from heatproof.passes.network_checks import check_network

Target = int | Sequence[int] | Tensor | None
"""The class to explain: None for the class that the network decides for, one class for all images, or one class an image. An output
that depends on no class has the target −1.
"""


def check_images(model: Model, images: Float[Tensor, "b c *space"]) -> None:
    """Check that images are a non-empty, finite batch that fits the model's bounds, type and device.

    Raises:
        TensorError: They are not.
    """
    channels = len(model.bounds.lower)
    if images.ndim < 2 or images.shape[1] != channels:
        raise TensorError(
            f"images: expected [batch, {channels}, …] for {model.name}, got {list(images.shape)}; "
            "add a batch axis with images[None], or give the model bounds with as many channels"
        )
    if 0 in images.shape:
        raise TensorError(f"images: expected at least one image and one pixel, got {list(images.shape)}")
    placed = model.placed(images[:1])
    if images.dtype != placed.dtype or images.device != placed.device:
        raise TensorError(
            f"images: expected {placed.dtype} on {placed.device} as the model's parameters, got {images.dtype} on {images.device}; "
            f"use images.to({str(placed.device)!r}, {placed.dtype})"
        )
    whole = finite(images)
    if not bool(whole.all()):
        bad = (~whole).nonzero().flatten().tolist()
        raise TensorError(
            f"images: expected finite values, got NaN or infinity in sample {', '.join(map(str, bad))}; leave those out"
        )


def check_needs_images(settings: Settings, images: Float[Tensor, "b c *space"]) -> None:
    """Raise `TensorError` for a table or a signal if these settings, or any that they hold, declare that they need images."""
    if images.ndim == 4:
        return
    for part in settings.nested():
        if getattr(part, "needs_images", False):
            raise TensorError(
                f"{part.name}: expected images [b, c, h, w], got {list(images.shape)}; "
                f"for tables and signals choose another {part.family}, one that does not need images"
            )


def resolve_target(model: Model, images: Float[Tensor, "b c *space"], target: Target) -> Int[Tensor, " b"]:
    """The class to explain for each image. Cost: one forward pass an image where `target` is None.

    Args:
        model: The network.
        images: The images `[b, c, …]`.
        target: None for the model's own top-1 class, one class for all images, or one class an image.

    Returns:
        One class an image `[b]`, −1 where the explained output depends on no class.

    Raises:
        TensorError: A target that is no class number, or the wrong number of them.
    """
    n = len(images)
    if target is None:
        return default_target(model, raw_outputs(model, images))
    if isinstance(target, int):
        target = [target] * n
    expected = f"target: expected None, an integer or {n} integers, one per image"
    try:
        chosen = torch.as_tensor(target, device=images.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TensorError(f"{expected}, got {target!r}") from error
    if chosen.shape != (n,) or chosen.dtype.is_floating_point or chosen.dtype == torch.bool:
        raise TensorError(f"{expected}, got {chosen.dtype} of shape {list(chosen.shape)}")
    chosen = chosen.long().clone()
    if isinstance(model.output, Regression):
        return _no_class(model.output, chosen)
    if bool((chosen < 0).any()) and not (bool((chosen == NO_CLASS).all()) and _has_no_class(model, images)):
        raise TensorError(
            f"target: expected class numbers from 0, got {chosen.tolist()}; leave it out for the network's own choice"
        )
    return chosen


def _has_no_class(model: Model, images: Tensor) -> bool:
    """Whether the explained output depends on no class. The number of outputs is known from the check of the network."""
    outputs = check_network(model, images, gradients=False).outputs
    return number_of_classes(model, images.new_zeros(1, outputs)) == 0


def _no_class(output: Regression, chosen: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The target −1 of each image, if the number of the explained output, or none, was chosen."""
    others = sorted(set(chosen.tolist()) - {NO_CLASS, output.index})
    if others:
        raise TensorError(
            f"target: expected none, since {output} explains output {output.index} whatever the class, got {others[0]}; leave the "
            f"target out, or explain regression(index={others[0]})"
        )
    return torch.full_like(chosen, NO_CLASS)
