"""The floating-point operations of single steps of a network, without the hooks that torch's own counter adds to tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class FlopCount(TorchDispatchMode):
    """Counts the floating-point operations of what runs inside a `with` block: those of products, convolutions and attention."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is None and torch._C._dispatch_has_kernel(func.name()):  # not the size of a nested tensor
            with self:  # in inference mode, operations come whole that are products and convolutions inside
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=result)
        return result

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch imports its compiler to keep it out of this class; that takes about a second of each process."""
        return False
