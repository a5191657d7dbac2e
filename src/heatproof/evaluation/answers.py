"""What a network answers while a unit is computed, so that a wrong answer that comes once is not stored.

A network answers wrongly once where memory or a processor fails, or where its code does. A matrix of another number of outputs than
before is refused at once. NaN and infinity are no errors in themselves: some networks answer so to some images, which records and
notes say. A unit in which they occur is therefore computed twice, and is stored if both results are the same.
"""

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.models.watching import watching

T = TypeVar("T")

_widths: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], int]]" = weakref.WeakKeyDictionary()


def checked(compute: Callable[[], T], same: Callable[[T, T], bool], again: Callable[[], None]) -> T:
    """The result of a computation with networks, which is computed twice if a network answers NaN or infinity.

    Args:
        compute: the computation.
        same: whether two results are the same.
        again: a function that is called before the second computation, which drops what is kept of the first one.

    Raises:
        ModelError: a network gives another number of outputs than before, or the results differ.
    """
    look = _Look()
    with watching(look):
        result = compute()
    if look.finite:
        return result
    again()
    with watching(look):
        other = compute()
    if same(result, other):
        return result
    raise ModelError(
        f"{look.name}: expected the same results whenever a unit is computed, got NaN or infinity in one of two computations; if "
        "the network draws no random numbers, test the memory of this machine; start the run again"
    )


def forget_answers() -> None:
    """Drop what this process remembers of networks."""
    _widths.clear()


class _Look:
    """Sees every output; `finite` says whether all were finite, and `name` is that of the network."""

    def __init__(self) -> None:
        self.name = "the network"
        self._broken: dict[torch.device, Tensor] = {}

    @property
    def finite(self) -> bool:
        return not any(bool(broken) for broken in self._broken.values())

    def __call__(self, model: Model, images: Tensor, outputs: Tensor) -> None:
        self.name = model.name
        key = (images.shape[1:], model.output_path, repr(model.output))
        widths = _widths.setdefault(model.module, {})
        width = widths.setdefault(key, outputs.shape[1])
        if width != outputs.shape[1]:
            del widths[key]  # which of the two is wrong is not known
            raise ModelError(
                f"{model.name}: expected {width} outputs for each image, as it gave before, got {outputs.shape[1]}; if the network "
                "always gives as many, test the memory of this machine; start the run again"
            )
        broken = ~outputs.isfinite().all()  # it stays on its device, which need not be waited for
        self._broken[outputs.device] = self._broken[outputs.device] | broken if outputs.device in self._broken else broken
