"""A network whose kinks are rounded off, so that it can be differentiated twice.

    softplus_β(x) = 1/β log(1 + exp(β x)),    0 < softplus_β(x) − max(0, x) ≤ log 2 / β

    ReLU               softplus_β(x)
    leaky ReLU         s x + (1 − s) softplus_β(x),    s its slope
    clamp to [l, u]    l + softplus_β(x − l) − softplus_β(x − u),    such as ReLU6 and hardtanh

The rule `beta_smooth` leaves the forward pass as it is; this is another network with the same weights, whose outputs differ from
the original's and tend to them as β grows. Operations are intercepted as they run, as functions or as modules, in place or not, and
nothing is put on the module. Other kinks stay: those of max pooling, of hardswish, and of a clamp from anything but zero.

Source: Ghorbani, Abid & Zou, AAAI 2019; Dombrowski et al., NeurIPS 2019.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.tracing.catalogue import CLAMPS_FROM_BELOW, OUT_OF_PLACE, RECURRENT_RELUS, RELUS
from heatproof.tracing.signatures import bind_arguments, operation_name
from heatproof.tracing.tracer import Tracer

Arguments = dict[str, Any]


class Softened(Tracer):
    """Inside the `with` block, every ReLU, leaky ReLU and clamp from zero is replaced by a smooth function.

    Args:
        module: The network.
        beta: β, the inverse width of a rounded kink.

    Raises:
        ModelError: A part of the network hides its operations, or, inside the block, a ReLU inside a recurrent layer.

    >>> import torch
    >>> from heatproof.edits.soften import Softened
    >>> with Softened(torch.nn.ReLU(), beta=1.0):
    ...     value = torch.relu(torch.zeros(1))
    >>> round(float(value), 4)  # log 2
    0.6931
    """

    def __init__(self, module: nn.Module, beta: float) -> None:
        super().__init__(module)
        self.beta = beta

    def is_tracked(self, tensor: Tensor) -> bool:
        """Every tensor is tracked."""
        return True

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the smooth function in place of one with a kink; compute any other operation as it is."""
        if func in RECURRENT_RELUS:
            raise ModelError(f"expected operations whose ReLU can be replaced, got {operation_name(func)}; use an LSTM or a GRU")
        out_of_place = OUT_OF_PLACE.get(func, func)
        given = self._arguments_with_kink(out_of_place, args, kwargs)
        if given is None:
            return func(*args, **kwargs)
        x = given["input"]
        if out_of_place is func and not given.get("inplace"):
            return self._rounded(out_of_place, x, given)
        return x.copy_(self._rounded(out_of_place, x.clone(), given))

    def _arguments_with_kink(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Arguments) -> Arguments | None:
        """The arguments by name; None for an operation that stays as it is."""
        if func in RELUS or func is F.leaky_relu or func is F.relu6 or func is F.hardtanh:
            return bind_arguments(func, args, kwargs, ("input",))
        if func not in CLAMPS_FROM_BELOW:
            return None
        given = bind_arguments(func, args, kwargs, ("input", "min", "max"))
        return given if _is_zero(given.get("min")) else None

    def _rounded(self, func: Callable[..., Any], x: Tensor, given: Arguments) -> Tensor:
        if func in RELUS:
            return self._softplus(x)
        if func is F.leaky_relu:
            slope: float = given["negative_slope"]
            return slope * x + (1 - slope) * self._softplus(x)
        lower, upper = _limits(func, given)
        y = lower + self._softplus(x - lower)
        return y if upper is None else y - self._softplus(x - upper)

    def _softplus(self, x: Tensor) -> Tensor:
        y: Tensor = F.softplus(x, beta=self.beta)
        return y


def _limits(func: Callable[..., Any], given: Arguments) -> tuple[float, Any]:
    if func is F.relu6:
        return 0.0, 6.0
    return (given["min_val"], given["max_val"]) if func is F.hardtanh else (0.0, given.get("max"))


def _is_zero(limit: Any) -> bool:
    return isinstance(limit, int | float) and limit == 0


def softened(model: Model, beta: float) -> Model:
    """The same model, whose passes run through the softened network.

    The parameters are shared and must be frozen by the caller, inside `model.running()`.
    """
    return model.with_(engine=_SoftenedNetwork(model.module, beta), plan=f"softened, beta={beta:g}")


class _SoftenedNetwork(nn.Module):
    def __init__(self, module: nn.Module, beta: float) -> None:
        super().__init__()
        self.module, self.beta = module, beta

    def forward(self, images: Tensor) -> Any:
        with Softened(self.module, self.beta):
            return self.module(images)
