"""The same network with its bends made round, so that it can be differentiated twice.

    softplus_β(x) = 1/β log(1 + exp(β x)),    0 < softplus_β(x) − max(0, x) ≤ log 2 / β

    ReLU               softplus_β(x)
    leaky ReLU         s x + (1 − s) softplus_β(x)
    clamp to [l, u]    l + softplus_β(x − l) − softplus_β(x − u),    as ReLU6 and hardtanh are

Unlike the rule `beta_smooth`, which leaves the forward pass as it is, this is another network with the same weights: what it
computes differs, and tends to the original's as β grows. Operations are met as they run, as functions or as modules, in place or
not; nothing is put on the module. Bends that are not listed stay: max pooling, hardswish, a clamp from anything but zero.

Source: Ghorbani, Abid & Zou, AAAI 2019; Dombrowski et al., NeurIPS 2019.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.tracing.catalogue import OUT_OF_PLACE, bound, operation_name
from heatproof.tracing.tracer import refuse_what_hides

T = Tensor
Arguments = dict[str, Any]

_RELU = (torch.relu, T.relu, F.relu)
_LEAKY = (F.leaky_relu,)
_CLAMPS = (F.hardtanh, torch.clamp, T.clamp, torch.clamp_min, T.clamp_min)
_HIDDEN = ("rnn_relu", "rnn_relu_cell")
"""ReLUs inside an operation that comes as one."""


def softened(model: Model, beta: float) -> Model:
    """The same model, whose passes are computed with softened bends.

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


class Softened(TorchFunctionMode):
    """Inside the block, the network's bends are round.

    module  the network, refused if its operations cannot be seen.
    beta    β, one over the width of a bend.
    """

    def __init__(self, module: nn.Module, beta: float) -> None:
        super().__init__()
        refuse_what_hides(module)
        self.beta = beta

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in _HIDDEN:
            raise ModelError(f"expected operations whose ReLU can be replaced, got {operation_name(func)}; use an LSTM or a GRU")
        plain = OUT_OF_PLACE.get(func, func)
        given = self._bends(plain, args, kwargs or {})
        if given is None:
            return func(*args, **(kwargs or {}))
        x = given["input"]
        if plain is func and not given.get("inplace"):
            return self._rounded(plain, x, given)
        return x.copy_(self._rounded(plain, x.clone(), given))

    def _bends(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Arguments) -> Arguments | None:
        """The arguments by name; None for an operation that stays as it is."""
        if func in _RELU or func in _LEAKY or func is F.relu6:
            return bound(func, args, kwargs, ("input",))
        if func not in _CLAMPS:
            return None
        given = bound(func, args, kwargs, ("input", "min", "max"))
        return given if func is F.hardtanh or _is_zero(given.get("min")) else None

    def _rounded(self, func: Callable[..., Any], x: Tensor, given: Arguments) -> Tensor:
        if func in _RELU:
            return self._softplus(x)
        if func in _LEAKY:
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
