"""The gradient primitive: ∇f for a chunk of images, computed as the gradient of the sum of their scores."""

from contextlib import nullcontext

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.kept_passes import differentiable_pass, is_keeping
from heatproof.tracing.affine_batch_norm import affine_batch_norm


def gradient(
    model: Model, images: Float[Tensor, "r c *space"], target: Int[Tensor, " r"]
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """The gradient of each image's score with respect to that image, and the score.

    Images do not affect each other in a network in eval mode, so the gradient of the sum of the scores consists of each image's own
    gradient. All images pass at once, so they should be no more than a chunk. Cost: one forward and one backward pass an image;
    inside a `keeping_passes` block, of the forward pass what was not computed before.

    Args:
        model: The network.
        images: The images `[r, c, …]`. They are copied, since the network's first layer may work in place.
        target: The class to explain for each image `[r]`.

    Returns:
        The gradients `[r, c, …]`, zero where a score does not depend on its image, and the scores `[r]`.

    Raises:
        ModelError: The network cuts the graph between its input and its output.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.gradient import gradient
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> values, scores = gradient(model, images, torch.tensor([3, 5]))
    >>> tuple(values.shape), tuple(scores.shape)
    ((2, 1, 28, 28), (2,))
    """
    affine = affine_batch_norm(model, whole=not is_keeping())
    with torch.inference_mode(False), torch.enable_grad(), model.running(), affine:
        made, _ = differentiable_pass(model, images, nullcontext)
        explained = checked_scores(model, made.outputs, target.clone())
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(
            explained.sum(), made.inputs, retain_graph=made.kept, allow_unused=True, materialize_grads=True
        )
    record_rows(forward=len(images), backward=len(images), equivalent=len(images) * made.share)
    return grad, explained.detach()


def differentiable_gradient(
    model: Model, at: Float[Tensor, "r c *space"], target: Int[Tensor, " r"]
) -> Float[Tensor, "r c *space"]:
    """Gradient of each row's score with respect to that row, which stays in the graph of `at` if that requires a gradient.

    Cost: one forward and one backward pass each.

    Raises:
        ModelError: The network cuts the graph between its input and its output.
    """
    keep = at.requires_grad
    with torch.enable_grad(), model.running(), affine_batch_norm(model):
        inputs = at if keep else at.detach().requires_grad_()
        explained = checked_scores(model, model.outputs(inputs.clone()), target)
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(explained.sum(), inputs, create_graph=keep, allow_unused=True, materialize_grads=True)
    record_rows(forward=len(at), backward=len(at))
    return grad


def check_differentiable(model: Model, explained: Tensor) -> None:
    """Check that scores depend on the network's input through autograd's graph.

    Raises:
        ModelError: The network cuts the graph on the way to these scores.
    """
    if not explained.requires_grad:
        raise ModelError(
            f"{model.name}: expected an output that is differentiable in the input, got one cut from the graph; "
            "look for detach(), no_grad(), argmax or numpy in its forward"
        )
