"""Computation in the types of the tensors, whatever the caller's `torch.autocast` blocks say.

A map belongs to a network and an image. If it also depended on the block from which it was requested, the same call would give two
maps, and a metric would blur, correlate and integrate in bfloat16. So every public call leaves the caller's autocast blocks. A
network that opens such a block in its own forward keeps it, since there it is part of the function.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch

DEVICE_TYPES = ("cpu", "cuda", "mps", "xpu")
"""The types of devices that have an autocast of their own."""


def autocast_of(kind: str) -> AbstractContextManager[object]:
    """A block that computes as the present one does on that type of device, for work that is done later on its behalf.

    >>> import torch
    >>> from heatproof.numerics.autocast import autocast_of
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     later = autocast_of("cpu")
    >>> with later:
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """
    enabled = kind in DEVICE_TYPES and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, torch.get_autocast_dtype(kind)) if enabled else nullcontext()


@contextmanager
def no_autocast() -> Iterator[None]:
    """A block, or by `@no_autocast()` a function, in which operations compute in the types of their tensors.

    >>> import torch
    >>> from heatproof.numerics.autocast import no_autocast
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     inside = torch.ones(2, 2) @ torch.ones(2, 2)
    ...     with no_autocast():
    ...         outside = torch.ones(2, 2) @ torch.ones(2, 2)
    >>> inside.dtype, outside.dtype
    (torch.bfloat16, torch.float32)
    """
    with ExitStack() as stack:
        for kind in DEVICE_TYPES:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield
