"""The activation primitive: A at a layer and ∂f/∂A, a chunk of rows at once.

The gradient stops at the layer, and a layer that is named keeps no graph of what lies before it. A layer that is chosen (None) is
chosen in the first chunk and named from then on. What is asked of a chunk is made before the next one runs, so memory is one chunk
and the answers.
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
from heatproof.tracing.capture import Site, capture, captured_activation, intervention


@dataclass(frozen=True)
class Activation:
    """A layer's activation on its grid, in the images' type, and the scores of the same run."""

    site: Site
    values: Float[Tensor, "r k h w"]
    scores: Float[Tensor, " r"]
    gradient: Float[Tensor, "r k h w"] | None = None
    """∂score/∂values; None if it was not asked for."""


def activations(
    model: Model, images: Float[Tensor, "b c h w"], target: Int[Tensor, " b"], layer: str | None
) -> Iterator[tuple[range, Activation]]:
    """Chunk by chunk. Cost: one forward row an image.

    Raises:
        SettingsError: No such layer; the message lists those there are.
        ModelError: No layer of the network has a grid.
    """
    return _stream(model, images, target, layer, _activation, "forward")


def activation_gradients(
    model: Model, images: Float[Tensor, "b c h w"], target: Int[Tensor, " b"], layer: str | None
) -> Iterator[tuple[range, Activation]]:
    """The same with gradients. Cost: one forward and one backward row an image.

    Raises:
        SettingsError: No such layer; the message lists those there are.
        ModelError: No layer of the network has a grid, or it cuts the graph after the layer.
    """
    return _stream(model, images, target, layer, _activation_gradient, f"gradient at {layer or 'the last layer'}")


def differentiable_activation_gradient(
    model: Model, images: Float[Tensor, "r c h w"], target: Int[Tensor, " r"], layer: str | None
) -> tuple[Activation, Float[Tensor, "r k gh gw"]]:
    """The activation and its gradient for one chunk of rows, in the graph of the images if those require a gradient.

    Cost: one forward and one backward pass each.
    """
    keep = images.requires_grad
    with torch.enable_grad(), model.running():
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
    """Scores of a chunk of rows, with the activation at the site overwritten by `change` on the way. Cost: one forward row each."""
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

    for rows, found in in_chunks(model, images, len(images), compute, kind):
        layer = found.site.name
        yield rows, found


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
