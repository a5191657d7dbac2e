"""Operations that come as one and are made of many: run whole on the way forward, taken apart on the way back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

if TYPE_CHECKING:
    from heatproof.surgery.intercept import Interceptor


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
    if not interceptor.composite.relevance:
        return func(*args, **kwargs)
    distinct = list({id(x): x for x in inputs if x.requires_grad}.values())

    def back(at: Sequence[Tensor], _: Any, above: Any) -> Sequence[Tensor]:
        with interceptor.nested():
            fresh = {id(x): y.detach().requires_grad_() for x, y in zip(distinct, at, strict=True)}
            for x, y in zip(distinct, fresh.values(), strict=True):
                interceptor.tag(y, interceptor.tags(x))
            outputs = parts(*[fresh.get(id(x), x) for x in inputs])
        return torch.autograd.grad(outputs, list(fresh.values()), above, allow_unused=True, materialize_grads=True)

    def run() -> Any:
        with torch.enable_grad():  # gradients decide on kernels
            return tree_map(Tensor.detach, func(*args, **kwargs))

    return interceptor.ruled("", run, back, distinct)
