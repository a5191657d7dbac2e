"""The relevance primitive: the relevance of the input, propagated back from the explained scores by the rules of a composite.

    R_out = (∂s / ∂y) ⊙ y,   so that Σ R_out = s where s is one of the outputs       (rules for relevance)
    R_out = ∂s / ∂y                                                                   (rules for gradients)

s is the explained score, y the network's outputs, R_out the relevance with which propagation begins. The images pass through the
network twice, once as it is and once traced; if the outputs are not the same bit for bit, the map is refused.

A network that ends in a softmax, or its logarithm, is explained up to there: y is the input of the softmax, and s is computed from
it as from the outputs of the network without the softmax. A probability is large because other classes have small logits, which
rules that share out relevance cannot express.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.models.scale import scale_of
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.remarks import remark
from heatproof.relevance.composites import Composite
from heatproof.relevance.handlers import handler
from heatproof.relevance.interceptor import Interceptor, Leak
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from heatproof.tracing.capture import named_network, uncompiled
from heatproof.tracing.final_softmax import FinalSoftmax, SoftmaxCall

BEGINS_BEFORE_SOFTMAX = "the network ends in a softmax: the backward pass by rules begins at its input, the logits"
BEGINS_AT_PROBABILITIES = "the network returns probabilities, but ends in no softmax: the backward pass by rules begins at them"


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
        traced = traced_outputs(model, interceptor, images)
        check_unchanged(model, images, traced.outputs)
        at = traced.begin.detach().requires_grad_()
        explained = traced.explained(at, target.clone())
        (slope,) = torch.autograd.grad(explained.sum(), at)
        begin = slope * at.detach() if composite.relevance else slope
        if leaks is not None and composite.relevance:
            leaks.append(Leak("explained score", explained.detach().sum(), begin.sum()))
        (values,) = torch.autograd.grad(traced.begin, traced.inputs, begin, allow_unused=True, materialize_grads=True)
    record_rows(forward=2 * len(images), backward=len(images))
    return values, explained.detach()


@dataclass(frozen=True, eq=False)
class Traced:
    """One forward pass with every operation intercepted.

    Attributes:
        inputs: A copy of the images that requires gradients `[r, c, …]`.
        outputs: The network's outputs for it `[r, k]`.
        begin: Where the backward pass begins: the input of the softmax at the end of the network, otherwise the outputs `[r, k]`.
        explained: The explained scores `[r]` as a function of a matrix in place of `begin`, and of the targets.
    """

    inputs: Tensor
    outputs: Tensor
    begin: Tensor
    explained: Callable[[Tensor, Tensor], Tensor]


def traced_outputs(model: Model, interceptor: Interceptor, images: Tensor) -> Traced:
    """The outputs for images, and where the backward pass begins, every operation intercepted."""
    inputs, end = images.clone().requires_grad_(), FinalSoftmax()
    at = inputs.clone()
    interceptor.begin(at)
    with interceptor, end:
        outputs = interceptor.current(model.outputs(at))  # the last operation may work in place
    check_differentiable(model, outputs)
    softmax = end.of(outputs)
    if (model.scale or scale_of(outputs)) == "logits":
        return Traced(inputs, outputs, outputs, partial(checked_scores, model))
    if softmax is None:
        remark(BEGINS_AT_PROBABILITIES)
        return Traced(inputs, outputs, outputs, partial(checked_scores, model))
    remark(BEGINS_BEFORE_SOFTMAX)
    if isinstance(model.output, Output) and model.output.class_dependent:
        return Traced(inputs, outputs, softmax.logits, partial(checked_scores, model.with_(scale="logits")))
    return Traced(inputs, outputs, softmax.logits, partial(_after, softmax, model))


def _after(softmax: SoftmaxCall, model: Model, logits: Tensor, target: Tensor) -> Tensor:
    """The explained scores of outputs made of other logits."""
    return checked_scores(model, softmax.function(logits), target)


def check_unchanged(model: Model, images: Tensor, outputs: Tensor) -> None:
    """Check that outputs of the traced network are those of the network without tracing.

    Raises:
        ModelError: They differ.
    """
    plain = model.outputs(images.clone().requires_grad_().clone()).detach()  # with gradients, which decide on kernels
    if not torch.allclose(outputs, plain, rtol=0, atol=0, equal_nan=True):
        gap = float((outputs.detach() - plain).abs().max())
        raise ModelError(
            f"{model.name}: expected the same outputs when its operations are traced, got a difference of {gap:.2g}; "
            "look for random numbers, state that a forward pass changes, or tensors changed through a view"
        )
