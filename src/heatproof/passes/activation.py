"""The activation primitive: a layer's activation A and the gradient ∂f/∂A, for one chunk of images at a time.

Gradients are computed back to the layer only, and no graph is stored of the operations before it. Which layer, and how its axes
are read, `tracing/capture.py` finds by a traced pass when the network is first met. Each chunk is returned before the next one is
computed, so that memory is that of one chunk and of what the caller keeps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.partial.layer_replay import KeptActivations
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.kept_passes import DifferentiablePass, differentiable_pass, is_keeping
from heatproof.passes.memory import in_chunks
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from heatproof.tracing.capture import Site, capture, captured_activation, site_of
from heatproof.tracing.grid import Layout


@dataclass(frozen=True)
class Activation:
    """The activation of a layer for a chunk of images, and the images' scores from the same forward pass.

    site      The layer.
    values    Its activation `[r, k, …]` with k channels at the positions of its grid, in the type of the images.
    scores    The explained scores `[r]`.
    gradient  ∂score/∂values `[r, k, …]`, or None if only the activation was computed.
    kept      What forward passes that begin at the layer read of each image; None if nothing was kept.
    """

    site: Site
    values: Float[Tensor, "r k *grid"]
    scores: Float[Tensor, " r"]
    gradient: Float[Tensor, "r k *grid"] | None = None
    kept: Sequence[KeptActivations] | None = None


def activations(
    model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"], layer: str | None, layout: Layout | None = None
) -> Iterator[tuple[range, Activation]]:
    """The activation of a layer, chunk by chunk. Cost: one forward pass an image.

    Args:
        model: The network.
        images: The images `[b, c, h, w]`, signals `[b, c, t]` or volumes `[b, c, d, h, w]`.
        target: The class to explain for each image `[b]`.
        layer: The name of a module; None for the last module with more than one position that the output is computed from.
        layout: The order of the axes of its output; None where what made it decides.

    Yields:
        The range of images of a chunk and the activation for them.

    Raises:
        SettingsError: The network has no such layer; the message lists the layers.
        ModelError: No layer of the network has a grid.
    """
    return _stream(model, images, target, site_of(model, images, layer, layout), _activation, "forward")


def activation_gradients(
    model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"], layer: str | None, layout: Layout | None = None
) -> Iterator[tuple[range, Activation]]:
    """The activation of a layer and the scores' gradient, chunk by chunk. Cost: one forward and one backward pass an image.

    Arguments, results and errors are those of `activations`.

    Raises:
        SettingsError: The network has no such layer; the message lists the layers.
        ModelError: No layer of the network has a grid, or the network cuts the graph after the layer.
    """
    site = site_of(model, images, layer, layout)
    return _stream(model, images, target, site, _activation_gradient, f"gradient at {site.name}")


def differentiable_activation_gradient(
    model: Model, images: Float[Tensor, "r c *space"], target: Int[Tensor, " r"], site: Site
) -> tuple[Activation, Float[Tensor, "r k *grid"]]:
    """The activation and its gradient for one chunk of rows, in the graph of the images if those require a gradient.

    Cost: one forward and one backward pass each.
    """
    keep = images.requires_grad
    affine = affine_batch_norm(model, eager=True, whole=not is_keeping())
    with torch.enable_grad(), model.running(), affine:
        if keep:
            with capture(model, site, cut=False) as seen:
                made = DifferentiablePass(images, model.outputs(images.clone()))
        else:
            hooks = partial(capture, model, site)
            made, seen = differentiable_pass(model, images, hooks, kind=f"gradient at {site}", of_images=False)
        values = captured_activation(seen, model)
        explained = checked_scores(model, made.outputs, target)
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(
            explained.sum(), values, retain_graph=keep or made.kept, create_graph=keep, allow_unused=True, materialize_grads=True
        )
    record_rows(forward=len(images), backward=len(images), equivalent=len(images) * made.share)
    activation, slope = (site.grid.of(tensor if keep else tensor.detach()).to(images.dtype) for tensor in (values, grad))
    return Activation(site, activation, explained.detach()), slope


def _stream(
    model: Model,
    images: Tensor,
    target: Tensor,
    site: Site,
    run: Callable[[Model, Tensor, Tensor, Site], Activation],
    kind: str,
) -> Iterator[tuple[range, Activation]]:
    def compute(rows: range) -> Activation:
        part = slice(rows.start, rows.stop)
        return run(model, images[part], target[part], site)

    return in_chunks(model, images, len(images), compute, kind)


def _activation(model: Model, images: Tensor, target: Tensor, site: Site) -> Activation:
    with no_gradients(), model.running(), capture(model, site) as seen:
        outputs = model.outputs(images.clone())
    values = captured_activation(seen, model)
    record_rows(forward=len(images))
    explained = checked_scores(model, outputs.clone(), target)
    return Activation(site, site.grid.of(values).to(images.dtype, copy=True), explained)


def _activation_gradient(model: Model, images: Tensor, target: Tensor, site: Site) -> Activation:
    with torch.inference_mode(False):
        activation, slope = differentiable_activation_gradient(model, images.detach(), target.clone(), site)
    return replace(activation, gradient=slope)
