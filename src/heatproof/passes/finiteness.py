"""Where values that are not finite come from: the output, an operation whose gradient is not finite, or neither."""

import torch
from torch import Tensor

from heatproof.core.errors import HeatproofError
from heatproof.models.model import Model
from heatproof.passes.forward import checked_scores

SINGULAR = (
    *("Sqrt", "Rsqrt", "Pow", "Log", "Log2", "Log10", "Log1P", "Xlogy", "Div", "Reciprocal", "Acos", "Asin", "Acosh", "Atanh"),
    *("Norm", "LinalgVectorNorm", "Std", "Var", "Cdist", "EuclideanDist"),
)
"""Operations, as autograd names them, whose gradient has no finite value at some finite inputs, as a square root at zero."""


def reason_not_finite(model: Model, image: Tensor, target: Tensor) -> str:
    """What is known about a map that holds NaN or infinity, from one forward and one backward pass of its image.

    Args:
        model: The network.
        image: The image `[1, c, …]`.
        target: The explained class `[1]`.

    Returns:
        One of three findings: the explained output is not finite; the gradient is not, and the first operation of the backward pass
        at which it is not; or both are finite at the image itself.
    """
    with torch.inference_mode(False), torch.enable_grad(), model.running():
        inputs = image.clone().requires_grad_()
        try:
            score = checked_scores(model, model.outputs(inputs.clone()), target.clone())
            if not bool(score.isfinite().all()):
                return f"the explained output is {score.item():g} for this image"
            operation = _first_not_finite(score, inputs) if score.requires_grad else ""
        except (HeatproofError, RuntimeError):  # a network that cannot pass gradients, or no image alone
            return ""
    if not operation:
        return "the explained output and its gradient are finite at this image, but not wherever else the method computes"
    if operation in SINGULAR:
        return (
            f"{operation.lower()} in the network has no finite gradient for this image, as a square root has none at zero; "
            "keep its input away from there, for instance by adding a small constant"
        )
    wider = "" if score.dtype == torch.float64 else "; try float64"
    return f"the gradient is not finite from {operation.lower()} on, in {str(score.dtype).removeprefix('torch.')}{wider}"


def _first_not_finite(score: Tensor, inputs: Tensor) -> str:
    """The first operation in the backward pass that makes a gradient that is not finite from finite ones; "" if there is none."""
    found: list[str] = []
    hooks = []
    pending, known = [score.grad_fn], {score.grad_fn}
    while pending:
        node = pending.pop()
        if node is None:
            continue

        def check(below: tuple[Tensor | None, ...], above: tuple[Tensor | None, ...], name: str = node.name()) -> None:
            if not found and _finite(above) and not _finite(below):
                found.append(name.removesuffix("0").removesuffix("Backward"))

        hooks.append(node.register_hook(check))
        fresh = {each for each, _ in node.next_functions} - known
        known |= fresh
        pending += fresh
    try:
        torch.autograd.grad(score.sum(), inputs, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def _finite(tensors: tuple[Tensor | None, ...]) -> bool:
    return all(tensor is None or bool(tensor.isfinite().all()) for tensor in tensors)
