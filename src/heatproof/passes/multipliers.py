"""The multiplier primitive: average slopes, operation by operation, between each row and its baseline.

    f(x) − f(b) = Σ m ⊙ (x − b),    m = J̄₁ᵀ J̄₂ᵀ … J̄ of the score

where each operation's Jacobian is averaged between what it meets at b and what it meets at x (`numerics/average_jacobian.py`). The
baselines pass first and each operation notes what it meets; then the images pass, operation by operation beside what was noted.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.relevance import check_unchanged, followed
from heatproof.relevance.composites.base import PlainGradient
from heatproof.relevance.handlers import handler
from heatproof.relevance.interceptor import Interceptor
from heatproof.relevance.reference_activations import ReferenceActivations
from heatproof.tracing.capture import named_network


def multipliers(
    model: Model, images: Float[Tensor, "r c *space"], baselines: Float[Tensor, "r c *space"], target: Int[Tensor, " r"]
) -> tuple[Float[Tensor, "r c *space"], Float[Tensor, " r"]]:
    """Multipliers of each row, and f(x) − f(b). Cost: three forward rows (one image is not followed) and one backward row each.

    Raises:
        ModelError: An operation that cannot be followed, outputs that change when they are, or other operations for an image than
            for its baseline.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running():
        reference = ReferenceActivations()
        interceptor = Interceptor(PlainGradient(), named_network(model), model.bounds, handler, reference=reference)
        _, at_baseline = followed(model, interceptor, baselines)
        reference.read()
        inputs, at_image = followed(model, interceptor, images)
        reference.finish()
        check_unchanged(model, images, at_image)
        ends = [each.detach() for each in (at_image, at_baseline)]
        change = checked_scores(model, ends[0], target.clone()) - checked_scores(model, ends[1], target.clone())
        (slope,) = SMOOTH(lambda outputs: model.explained(outputs, target.clone()), ends[:1], ends[1:], torch.ones_like(change))
        (found,) = torch.autograd.grad(at_image, inputs, slope, allow_unused=True, materialize_grads=True)
    record_rows(forward=3 * len(images), backward=len(images))
    return found, change
