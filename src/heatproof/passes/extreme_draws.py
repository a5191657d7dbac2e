"""Random numbers at their extremes: whether they matter to a network is then seen in two passes, however rarely they do."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

LEAST, MOST, NUMBERS = 4, 1000, 2**12
"""The number of draws is that of so many random numbers in all, within these limits."""


class ExtremeDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not annotate it
    """A block in which each random number that torch draws is the largest, or the smallest, of up to 1,000 draws.

    A layer that is left out once in fifty passes makes no difference between most pairs of passes. Between one in which all draws
    are small and one in which all are large, it does.

    Args:
        extreme: `torch.maximum` or `torch.minimum`.

    >>> import torch
    >>> from heatproof.passes.extreme_draws import ExtremeDraws
    >>> with ExtremeDraws(torch.maximum):
    ...     torch.rand(()) > 0.9
    tensor(True)
    """

    def __init__(self, extreme: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._extreme = extreme

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return result
        drawn = _ordered(result)
        best = [each.clone() for each in drawn]
        largest = max([1, *(each.numel() for each in drawn)])
        for _ in range(min(max(NUMBERS // largest, LEAST), MOST) - 1):
            best = [self._extreme(*pair) for pair in zip(best, _ordered(func(*args, **kwargs)), strict=True)]
        for tensor, value in zip(drawn, best, strict=True):
            tensor.copy_(value)
        return result


def _ordered(nested: Any) -> list[Tensor]:
    """The tensors among some results whose numbers can be compared, which complex ones cannot."""
    return [leaf for leaf in tree_flatten(nested)[0] if isinstance(leaf, Tensor) and not leaf.is_complex()]


EXTREMES = (partial(ExtremeDraws, torch.minimum), partial(ExtremeDraws, torch.maximum))
"""What opens the two blocks."""
