"""Tensors that are made on the CPU unless a device is named, whatever `torch.set_default_device` says.

Random numbers, indices and sizes are computed on the CPU, so that a map is the same on every device. The network of the caller may
rely on the default, so it finds it as the caller set it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch

_callers: ContextVar[torch.device | None] = ContextVar("the default device of the caller", default=None)


@contextmanager
def cpu_by_default() -> Iterator[None]:
    """A block in which the CPU is the default device.

    >>> import torch
    >>> from heatproof.numerics.default_device import callers_default, cpu_by_default
    >>> with torch.device("meta"), cpu_by_default():
    ...     inside = torch.ones(2)
    ...     with callers_default():
    ...         network = torch.ones(2)
    >>> inside.device.type, network.device.type
    ('cpu', 'meta')
    """
    device = torch.get_default_device()
    if device.type == "cpu":
        yield
        return
    token = _callers.set(device)
    try:
        with torch.device("cpu"):
            yield
    finally:
        _callers.reset(token)


def callers_default() -> AbstractContextManager[object]:
    """A block within one of `cpu_by_default` in which the default device is that of the caller."""
    return _callers.get() or nullcontext()
