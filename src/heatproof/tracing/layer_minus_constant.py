"""A linear layer minus a constant, as one operation.

An edited network that corrects the result of a layer calls this function, so that a tracer sees one operation. A backward rule can
then count the constant as a part of the layer's bias, which it could not if the subtraction were an operation of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function


def layer_minus_constant(func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any], constant: Tensor) -> Tensor:
    """The result of a linear layer minus a constant.

    Args:
        func: The layer's function, a convolution or `F.linear`.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        constant: What is subtracted; it broadcasts against the result.

    Returns:
        `func(*args, **kwargs) - constant`. Tracers intercept this function as they do those of torch.
    """
    if has_torch_function((constant,)):
        result: Tensor = handle_torch_function(layer_minus_constant, (constant,), func, args, kwargs, constant)
        return result
    return func(*args, **kwargs) - constant
