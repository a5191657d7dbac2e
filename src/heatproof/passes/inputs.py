"""Checks of images and targets: inputs that would give a wrong map are refused with the remedy."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.core.errors import TensorError, UsageError
from heatproof.core.settings import Settings
from heatproof.models.classes import NO_CLASS, default_target, number_of_classes
from heatproof.models.model import Model
from heatproof.models.outputs import Regression
from heatproof.numerics.dense import check_dense
from heatproof.numerics.finite import finite
from heatproof.passes.forward import raw_outputs
from heatproof.passes.network_checks import check_network

ROUNDING = 0.01
"""The share of the legal range by which values may leave the bounds by rounding and resampling."""
OTHER_UNITS = 1.0
"""The share of the legal range beyond which values are in other units than the bounds, such as 0 to 255 for 0 to 1."""

Target = int | Sequence[int] | Tensor | None
"""The class to explain: None for the class that the network decides for, one class for all images, or one class an image. An output
that depends on no class has the target −1.
"""


def check_model(model: Any, images: Any) -> None:
    """Check that a network came with the bounds of its input.

    Raises:
        UsageError: It is a bare module, a loader, or something else. The message says how to make a `Model` of it.
    """
    if isinstance(model, Model):
        return
    remedy = "make one by Model(module, bounds)"
    if isinstance(model, nn.Module):
        channels = images.shape[1] if isinstance(images, Tensor) and images.ndim > 1 else 3
        remedy = f"write Model(module, Bounds.of(0, 1, channels={channels})) with the least and the largest value of its input"
    elif isinstance(model, str):
        remedy = f"use load_model({model!r})"
    elif hasattr(model, "load"):
        remedy = "use its .load()"
    raise UsageError(f"model: expected a heatproof.Model, got {type(model).__module__}.{type(model).__qualname__}; {remedy}")


def check_images(model: Model, images: Float[Tensor, "b c *space"]) -> None:
    """Check that images are a non-empty, finite batch that fits the model's bounds, type and device.

    Raises:
        TensorError: They are not.
        UsageError: The model is no `Model`.
    """
    check_model(model, images)
    check_dense(images, "images")
    channels = len(model.bounds.lower)
    if images.ndim < 2 or images.shape[1] != channels:
        raise TensorError(
            f"images: expected [batch, {channels}, …] for {model.name}, got {list(images.shape)}; {_other_axes(images, channels)}"
        )
    if 0 in images.shape:
        raise TensorError(f"images: expected at least one image and one pixel, got {list(images.shape)}")
    if not images.is_floating_point() and not images.is_complex():
        raise TensorError(
            f"images: expected floating-point numbers in the units of {model.name}, {model.bounds}, got {images.dtype}; use "
            "images.float() / 255 for a network of pixels in [0, 1], or load_images with its preprocessing"
        )
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


def _other_axes(images: Tensor, channels: int) -> str:
    """The remedy for images whose second axis is not that of the channels."""
    if images.ndim == 4 and images.shape[3] == channels:
        return "move the channels first with images.permute(0, 3, 1, 2)"
    if images.ndim == 3 and images.shape[0] == channels:
        return "add a batch axis with images[None]"
    return "add a batch axis with images[None], or give the model bounds with as many channels"


def check_needs_images(settings: Settings, images: Float[Tensor, "b c *space"]) -> None:
    """Raise `TensorError` for data that these settings, or any that they hold, declare that they cannot take: `needs_images`
    refuses tables, signals and volumes, and `needs_places` tables.
    """
    if images.ndim == 4:
        return
    for part in settings.nested():
        if getattr(part, "needs_places", False) and images.ndim < 3:
            raise TensorError(
                f"{part.name}: expected images [b, c, h, w], signals [b, c, t] or volumes [b, c, d, h, w], got "
                f"{list(images.shape)}; for tables {_instead(part, 'places')}"
            )
        if getattr(part, "needs_images", False):
            raise TensorError(
                f"{part.name}: expected images [b, c, h, w], got {list(images.shape)}; "
                f"for tables and signals {_instead(part, 'images')}"
            )


def _instead(part: Settings, needed: str) -> str:
    """The remedy that the settings name themselves, or others of their kind."""
    return getattr(part, "instead", "") or f"choose another {part.family}, one that does not need {needed}"


def check_bounds(settings: Settings, model: Model, images: Float[Tensor, "b c *space"]) -> tuple[str, ...]:
    """Compare images with the model's bounds, which fills, noises and some rules are computed from.

    Args:
        settings: A method or a metric, whose parts may declare that they need images within the bounds.
        model: The network and its bounds.
        images: The images `[b, c, …]`, as the user gives them. Images that a metric changed may leave the bounds.

    Returns:
        For each image, a note that its values lie far outside the bounds, or outside bounds that the settings rely on; or "".

    Raises:
        TensorError: Values lie far outside the bounds, and these settings, or any that they hold, need values within them.
    """
    overshoot = model.bounds.overshoot(images)
    needing = next((part.name for part in settings.nested() if getattr(part, "needs_bounds", False)), "")
    worst = int(overshoot.argmax())
    if needing and float(overshoot[worst]) > OTHER_UNITS:
        raise TensorError(
            f"{needing}: images: expected values within the model's bounds, {model.bounds}, got {_reach(images[worst])} in sample "
            f"{worst}; give the model the bounds of its input, or bring the images into their units"
        )

    def note(image: Tensor, by: float) -> str:
        if by > OTHER_UNITS:
            return f"values of the image, {_reach(image)}, lie far outside the model's bounds, {model.bounds}"
        if needing and by > ROUNDING:
            return (
                f"values of the image, {_reach(image)}, lie outside the model's bounds, {model.bounds}, which {needing} relies on"
            )
        return ""

    return tuple(note(image, by) for image, by in zip(images, overshoot.tolist(), strict=True))


def _reach(image: Tensor) -> str:
    least, most = image.detach().aminmax()
    return f"{float(least):.4g} to {float(most):.4g}"


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
    expected = f"target: expected None, an integer or {n} integers, one per image"
    try:
        chosen = torch.as_tensor(target, device=images.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TensorError(f"{expected}, got {target!r}") from error
    if chosen.ndim == 0:
        chosen = chosen.expand(n)
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
