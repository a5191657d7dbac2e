"""The multiplier primitive of DeepLIFT: average slopes between an image and its baseline, operation by operation.

    f(x) − f(b) = Σ m ⊙ (x − b),    m = J̄₁ᵀ J̄₂ᵀ … J̄ of the score

f is the explained score, x the image, b its baseline, m the multipliers, and J̄ᵀ the transposed Jacobian of an operation,
averaged between its input for b and its input for x (see `numerics/average_jacobian.py`). The baselines pass first, and the input
of each operation is recorded; then the images pass, and each operation is compared with its recorded input.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.numerics.wide import wide
from heatproof.passes.counting import record_rows
from heatproof.passes.relevance import check_unchanged, traced_outputs
from heatproof.relevance.composites.base import PlainGradient
from heatproof.relevance.handlers import handler
from heatproof.relevance.interceptor import Interceptor
from heatproof.relevance.reference_activations import ReferenceActivations
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from heatproof.tracing.capture import named_network, uncompiled


def multipliers(
    model: Model, images: Float[Tensor, "r c *space"], baselines: Float[Tensor, "r c *space"], target: Int[Tensor, " r"]
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """The multipliers of each image, and f(x) − f(b). All images pass at once, as one chunk.

    Cost: three forward passes and one backward pass an image: the baseline, the image, and the image without tracing as a check.

    Args:
        model: The network.
        images: The images `[r, c, …]`.
        baselines: The baseline of each image `[r, c, …]`.
        target: The class to explain for each image `[r]`.

    Returns:
        The multipliers `[r, c, …]` and the differences of scores `[r]`.

    Raises:
        ModelError: The network has an operation that cannot be traced, other outputs when it is traced, or other operations for an
            image than for its baseline.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running(), uncompiled(model), affine_batch_norm(model, eager=True):
        reference = ReferenceActivations()
        interceptor = Interceptor(PlainGradient(), named_network(model), model.bounds, handler, reference=reference)
        at_baseline = traced_outputs(model, interceptor, baselines)
        reference.read()
        at_image = traced_outputs(model, interceptor, images)
        reference.finish()
        check_unchanged(model, images, at_image.outputs)
        ends = [wide(each.begin.detach()) for each in (at_image, at_baseline)]
        change = at_image.explained(ends[0], target.clone()) - at_image.explained(ends[1], target.clone())
        (slope,) = SMOOTH(lambda outputs: at_image.explained(outputs, target.clone()), ends[:1], ends[1:], torch.ones_like(change))
        slope = slope.to(at_image.begin.dtype)
        (values,) = torch.autograd.grad(at_image.begin, at_image.inputs, slope, allow_unused=True, materialize_grads=True)
    record_rows(forward=3 * len(images), backward=len(images))
    return values, change
