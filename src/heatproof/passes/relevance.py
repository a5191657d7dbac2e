"""The relevance primitive: the relevance of the input, propagated back from the explained scores by the rules of a composite.

    R_out = (∂s / ∂y) ⊙ y,   so that Σ R_out = s where s is one of the outputs       (rules for relevance)
    R_out = ∂s / ∂y                                                                   (rules for gradients)

s is the explained score, y the network's outputs, R_out the relevance with which propagation begins. The images pass through the
network twice, once as it is and once traced; if the outputs are not the same bit for bit, the map is refused.
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
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from heatproof.tracing.capture import named_network, uncompiled


def relevance(
    model: Model,
    images: Float[Tensor, "r c *space"],
    target: Int[Tensor, " r"],
    composite: Composite,
    leaks: list[Leak] | None = None,
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """The relevance of each value of the images, and the images' scores. All images pass at once, as one chunk.

    Cost: two forward passes and one backward pass an image.

    Args:
        model: The network.
        images: The images `[r, c, …]`.
        target: The class to explain for each image `[r]`.
        composite: Which rule each layer and operation has.
        leaks: A list to which, for each operation, the relevance that it lost is added; None to skip this.

    Returns:
        The relevance `[r, c, …]` and the scores `[r]`.

    Raises:
        ModelError: The network has an operation without a rule, one that cannot be traced, or other outputs when it is traced.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running(), uncompiled(model), affine_batch_norm(model, eager=True):
        interceptor = Interceptor(composite, named_network(model), model.bounds, handler, leaks=leaks)
        inputs, outputs = traced_outputs(model, interceptor, images)
        check_unchanged(model, images, outputs)
        at = outputs.detach().requires_grad_()
        explained = checked_scores(model, at, target.clone())
        (slope,) = torch.autograd.grad(explained.sum(), at)
        begin = slope * at.detach() if composite.relevance else slope
        (values,) = torch.autograd.grad(outputs, inputs, begin, allow_unused=True, materialize_grads=True)
    record_rows(forward=2 * len(images), backward=len(images))
    return values, explained.detach()


def traced_outputs(model: Model, interceptor: Interceptor, images: Tensor) -> tuple[Tensor, Tensor]:
    """A copy of the images that requires gradients, and the network's outputs for it, every operation intercepted."""
    inputs = images.clone().requires_grad_()
    at = inputs.clone()
    interceptor.begin(at)
    with interceptor:
        outputs = model.outputs(at)
    check_differentiable(model, outputs)
    return inputs, outputs


def check_unchanged(model: Model, images: Tensor, outputs: Tensor) -> None:
    """Check that outputs of the traced network are those of the network without tracing.

    Raises:
        ModelError: They differ.
    """
    plain = model.outputs(images.clone().requires_grad_().clone()).detach()  # with gradients, which decide on kernels
    if not torch.equal(outputs, plain):
        gap = float((outputs.detach() - plain).abs().max())
        raise ModelError(
            f"{model.name}: expected the same outputs when its operations are traced, got a difference of {gap:.2g}; "
            "look for random numbers, state that a forward pass changes, or tensors changed through a view"
        )
