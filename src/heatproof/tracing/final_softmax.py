"""The softmax, or its logarithm, with which a network ends.

It is the last one along the classes whose result is the network's output, possibly after copies of the same shape, such as a cast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor

from heatproof.tracing.catalogue import CASTS, CLONES, CONTIGUOUS, LOG_SOFTMAXES, RESHAPES, SOFTMAXES
from heatproof.tracing.tracer import Tracer

_ENDS: frozenset[Callable[..., Any]] = frozenset((*SOFTMAXES, *LOG_SOFTMAXES))
_COPIES: frozenset[Callable[..., Any]] = frozenset((*CASTS, *CLONES, *CONTIGUOUS, *RESHAPES, Tensor.flatten, Tensor.squeeze))


@dataclass(frozen=True, eq=False)
class SoftmaxCall:
    """A softmax at the end of a network.

    Attributes:
        logits: Its input `[b, k]`.
        function: The softmax, or its logarithm, of such a matrix.
        result: The tensor that holds its values.
    """

    logits: Float[Tensor, "b k"]
    function: Callable[[Tensor], Tensor]
    result: Float[Tensor, "b k"]


class FinalSoftmax(Tracer):
    """The tracer that notes the softmax at the end of one forward pass; it changes nothing."""

    functions = _ENDS | _COPIES

    def __init__(self) -> None:
        super().__init__()
        self._last: SoftmaxCall | None = None

    def is_tracked(self, tensor: Tensor) -> bool:
        return tensor.requires_grad and tensor.ndim == 2

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        result = func(*args, **kwargs)
        if func in _ENDS:
            rest = {name: value for name, value in kwargs.items() if name != "input"}
            axis = rest.get("dim", args[1] if len(args) > 1 else None)
            self._last = SoftmaxCall(tracked[0], partial(_called, func, args[1:], rest), result) if axis in (1, -1) else None
        elif self._last is not None and tracked[0] is self._last.result and result.shape == self._last.result.shape:
            self._last = replace(self._last, result=result)
        return result

    def of(self, outputs: Tensor) -> SoftmaxCall | None:
        """The softmax that made these outputs; None if another operation did."""
        return self._last if self._last is not None and self._last.result is outputs else None


def _called(func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any], logits: Tensor) -> Tensor:
    return func(logits, *args, **kwargs)
