"""Operations that come as one and are made of many: run whole on the way forward, taken apart on the way back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from heatproof.relevance.reference_activations import ReferenceActivations

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor


def taken_apart(
    interceptor: "Interceptor",
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    parts: Callable[..., Any],
    inputs: Sequence[Tensor],
) -> Any:
    """The operation's own result, of one tensor or several; relevance goes back through `parts`.

    parts   computes the same of the inputs with operations that have rules.
    inputs  which may depend on the network's input; what does not is no part of the way back.
    """
    if not interceptor.composite.relevance and interceptor.reference is None:
        return func(*args, **kwargs)
    distinct = list({id(x): x for x in inputs if x.requires_grad}.values())

    def run() -> Any:
        with torch.enable_grad():  # gradients decide on kernels
            return tree_map(Tensor.detach, func(*args, **kwargs))

    def through(at: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
        fresh = {id(x): y.detach().requires_grad_() for x, y in zip(distinct, at, strict=True)}
        for x, y in zip(distinct, fresh.values(), strict=True):
            interceptor.tag(y, interceptor.tags(x))
        return list(fresh.values()), parts(*[fresh.get(id(x), x) for x in inputs])

    def back(at: Sequence[Tensor], _: Any, above: Any, met: Sequence[Tensor] | None) -> Sequence[Tensor]:
        reference = None if met is None else ReferenceActivations()
        with interceptor.nested(reference):
            if met is not None and reference is not None:
                through(met)
                reference.read()
            leaves, outputs = through(at)
        return torch.autograd.grad(outputs, leaves, above, allow_unused=True, materialize_grads=True)

    return interceptor.contrasted("", run, back, distinct)
