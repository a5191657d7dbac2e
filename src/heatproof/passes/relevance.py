"""The relevance primitive: what a composite's rules bring from the explained scores down to a chunk of rows.

    R_out = (∂s / ∂y) ⊙ y at the outputs y, so that Σ R_out = s where s is an output       (relevance)
    R_out = ∂s / ∂y                                                                          (gradients)

The rows pass twice: once as they are, once followed. The outputs must be the same, bit for bit, or the map is refused.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.gradient import check_differentiable
from heatproof.relevance.composites import Composite
from heatproof.relevance.handlers import handler
from heatproof.relevance.interceptor import Interceptor, Leak
from heatproof.tracing.capture import named_network


def relevance(
    model: Model,
    images: Float[Tensor, "r c *space"],
    target: Int[Tensor, " r"],
    composite: Composite,
    leaks: list[Leak] | None = None,
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """Relevance of each row's values, and its score; `leaks` is filled with what each operation let through.

    Cost: two forward and one backward row each.

    Raises:
        ModelError: An operation without a rule, one that cannot be followed, or outputs that change when they are.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running():
        interceptor = Interceptor(composite, named_network(model), model.bounds, handler, leaks=leaks)
        inputs, outputs = followed(model, interceptor, images)
        check_unchanged(model, images, outputs)
        at = outputs.detach().requires_grad_()
        explained = checked_scores(model, at, target.clone())
        (slope,) = torch.autograd.grad(explained.sum(), at)
        begin = slope * at.detach() if composite.relevance else slope
        (found,) = torch.autograd.grad(outputs, inputs, begin, allow_unused=True, materialize_grads=True)
    record_rows(forward=2 * len(images), backward=len(images))
    return found, explained.detach()


def followed(model: Model, interceptor: Interceptor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of their own, and the network's outputs for them, every operation seen."""
    inputs = images.clone().requires_grad_()
    at = inputs.clone()
    interceptor.begin(at)
    with interceptor:
        outputs = model.outputs(at)
    check_differentiable(model, outputs)
    return inputs, outputs


def check_unchanged(model: Model, images: Tensor, outputs: Tensor) -> None:
    """Raise `ModelError` unless these are the outputs of the network that is not followed."""
    plain = model.outputs(images.clone().requires_grad_().clone()).detach()  # with gradients, which decide on kernels
    if not torch.equal(outputs, plain):
        gap = float((outputs.detach() - plain).abs().max())
        raise ModelError(
            f"{model.name}: expected the same outputs when its operations are followed, got a difference of {gap:.2g}; "
            "look for random numbers, state that a forward pass changes, or tensors changed through a view"
        )
