"""The gradient primitive: ∇f at a chunk of rows, as the gradient of the sum of the rows' scores."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores


def gradient(
    model: Model, images: Float[Tensor, "r c *space"], target: Int[Tensor, " r"]
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """Gradient of each row's score with respect to that row, and the score. Zero where the score does not depend on the row.

    Rows of an eval-mode network do not see each other, so the gradient of the sum holds each row's own. The network gets a
    copy of the rows, since its first layer may work in place; what was made in inference mode is copied once more, so that
    autograd may save it. Cost: one forward and one backward row each.

    Raises:
        ModelError: The network cuts the graph between its input and its output.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running():
        inputs = (images.clone() if images.is_inference() else images.detach()).requires_grad_()
        explained = checked_scores(model, model.outputs(inputs.clone()), target.clone())
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(explained.sum(), inputs, allow_unused=True, materialize_grads=True)
    record_rows(forward=len(images), backward=len(images))
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
    with torch.enable_grad(), model.running():
        inputs = at if keep else at.detach().requires_grad_()
        explained = checked_scores(model, model.outputs(inputs.clone()), target)
        check_differentiable(model, explained)
        (grad,) = torch.autograd.grad(explained.sum(), inputs, create_graph=keep, allow_unused=True, materialize_grads=True)
    record_rows(forward=len(at), backward=len(at))
    return grad


def check_differentiable(model: Model, explained: Tensor) -> None:
    """Raise `ModelError` if the network cut the graph on the way to these scores."""
    if not explained.requires_grad:
        raise ModelError(
            f"{model.name}: expected an output that is differentiable in the input, got one cut from the graph; "
            "look for detach(), no_grad(), argmax or numpy in its forward"
        )
