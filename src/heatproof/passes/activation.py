"""The activation primitive: a layer's activation A and the gradient ∂f/∂A, for one chunk of images at a time.

Gradients are computed back to the layer only, and for a layer given by name, no graph is stored of the operations before it. Where
no layer is given, it is chosen in the first chunk and used by name from then on. Each chunk is returned before the next one is
computed, so that memory is that of one chunk and of what the caller keeps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.memory import in_chunks
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from heatproof.tracing.capture import Site, capture, captured_activation, intervention


@dataclass(frozen=True)
class Activation:
    """The activation of a layer for a chunk of images, and the images' scores from the same forward pass.

    site      The layer.
    values    Its activation `[r, k, h, w]` with k channels on a grid of h × w cells, in the type of the images.
    scores    The explained scores `[r]`.
    gradient  ∂score/∂values `[r, k, h, w]`, or None if only the activation was computed.
    """

    site: Site
    values: Float[Tensor, "r k h w"]
    scores: Float[Tensor, " r"]
    gradient: Float[Tensor, "r k h w"] | None = None


def activations(
    model: Model, images: Float[Tensor, "b c h w"], target: Int[Tensor, " b"], layer: str | None
) -> Iterator[tuple[range, Activation]]:
    """The activation of a layer, chunk by chunk. Cost: one forward pass an image.

    Args:
        model: The network.
        images: The images `[b, c, h, w]`.
        target: The class to explain for each image `[b]`.
        layer: The name of a module; None for the last module whose output has more than one position.

    Yields:
        The range of images of a chunk and the activation for them.

    Raises:
        SettingsError: The network has no such layer; the message lists the layers.
        ModelError: No layer of the network has a grid.
    """
    return _stream(model, images, target, layer, _activation, "forward")


def activation_gradients(
    model: Model, images: Float[Tensor, "b c h w"], target: Int[Tensor, " b"], layer: str | None
) -> Iterator[tuple[range, Activation]]:
    """The activation of a layer and the scores' gradient, chunk by chunk. Cost: one forward and one backward pass an image.

    Arguments, results and errors are those of `activations`.

    Raises:
        SettingsError: The network has no such layer; the message lists the layers.
        ModelError: No layer of the network has a grid, or the network cuts the graph after the layer.
    """
    return _stream(model, images, target, layer, _activation_gradient, f"gradient at {layer or 'the last layer'}")


def differentiable_activation_gradient(
    model: Model, images: Float[Tensor, "r c h w"], target: Int[Tensor, " r"], layer: str | None
) -> tuple[Activation, Float[Tensor, "r k gh gw"]]:
    """The activation and its gradient for one chunk of rows, in the graph of the images if those require a gradient.

    Cost: one forward and one backward pass each.
    """
    keep = images.requires_grad
    with torch.enable_grad(), model.running(), affine_batch_norm(model, eager=True):
        with capture(model, images, layer, cut=not keep) as seen:
            outputs = model.outputs(images.clone())
        site, values = captured_activation(seen, model, images)
        explained = checked_scores(model, outputs, target)
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(explained.sum(), values, create_graph=keep, allow_unused=True, materialize_grads=True)
    record_rows(forward=len(images), backward=len(images))
    activation, slope = (site.grid.of(tensor if keep else tensor.detach()).to(images.dtype) for tensor in (values, grad))
    return Activation(site, activation, explained.detach()), slope


def changed_scores(
    model: Model,
    images: Float[Tensor, "r c h w"],
    target: Int[Tensor, " r"],
    site: Site,
    change: Callable[[Tensor], None],
) -> Float[Tensor, " r"]:
    """The scores of a chunk of images when a layer's activation is changed during the forward pass. Cost: one forward pass an
    image.

    Args:
        model: The network.
        images: The images `[r, c, h, w]`, which pass at once.
        target: The class to explain for each image `[r]`.
        site: The layer.
        change: A function that overwrites the layer's activation in place.
    """
    with torch.inference_mode(), model.running(), intervention(model, site, change):
        outputs = model.outputs(images.clone())
    record_rows(forward=len(images))
    return checked_scores(model, outputs.clone(), target)


def _stream(
    model: Model,
    images: Tensor,
    target: Tensor,
    layer: str | None,
    run: Callable[[Model, Tensor, Tensor, str | None], Activation],
    kind: str,
) -> Iterator[tuple[range, Activation]]:
    def compute(rows: range) -> Activation:
        part = slice(rows.start, rows.stop)
        return run(model, images[part], target[part], layer)

    for rows, activation in in_chunks(model, images, len(images), compute, kind):
        layer = activation.site.name
        yield rows, activation


def _activation(model: Model, images: Tensor, target: Tensor, layer: str | None) -> Activation:
    with torch.inference_mode(), model.running(), capture(model, images, layer) as seen:
        outputs = model.outputs(images.clone())
    site, values = captured_activation(seen, model, images)
    record_rows(forward=len(images))
    explained = checked_scores(model, outputs.clone(), target)
    return Activation(site, site.grid.of(values).to(images.dtype, copy=True), explained)


def _activation_gradient(model: Model, images: Tensor, target: Tensor, layer: str | None) -> Activation:
    with torch.inference_mode(False):
        activation, slope = differentiable_activation_gradient(model, images.detach(), target.clone(), layer)
    return replace(activation, gradient=slope)
