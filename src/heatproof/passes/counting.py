"""Counts of the passes through a network: a cost that does not depend on the machine.

One forward pass is one image through the network; one backward pass is the gradient for one image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

ImageShape = tuple[int, ...]
"""The shape of one image, channels first: (c, h, w), or (c, …) of other data."""

TYPICAL_SHAPE: ImageShape = (3, 224, 224)
"""The shape for which costs are stated where no network is at hand, as in a catalogue."""


@dataclass
class PassCount:
    """The number of forward and backward passes, stated in advance or counted.

    forward     Forward passes.
    backward    Backward passes.
    clean       In a stated cost, the forward passes that are of the unchanged image: these are free where its outputs are known
                already (`passes.forward.known_outputs`).
    equivalent  In a count, the work of the forward passes in full forward passes. A pass that was computed in part counts as its
                share of the network's floating-point operations. Passes whose outputs nobody reads, such as those that only record
                activations, are included.

    >>> from heatproof.passes.counting import ImageShape, PassCount
    >>> PassCount(forward=3, backward=1, clean=1) == PassCount(3, 1, 1)
    True
    """

    forward: int = 0
    backward: int = 0
    clean: int = 0
    equivalent: float = field(default=0.0, compare=False)


_counters: ContextVar[tuple[PassCount, ...]] = ContextVar("pass counters", default=())


@contextmanager
def count_passes() -> Iterator[PassCount]:
    """Count every pass inside a `with` block. Blocks may be nested; each counts all the passes inside it.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.counting import count_passes
    >>> from heatproof.passes.gradient import gradient
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> with count_passes() as passes:
    ...     values, scores = gradient(model, images, torch.tensor([3, 5]))
    >>> passes.forward, passes.backward
    (2, 2)
    """
    counter = PassCount()
    token = _counters.set((*_counters.get(), counter))
    try:
        yield counter
    finally:
        _counters.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Hide the passes inside a `with` block from all counters: work done once a network, which belongs to no single call."""
    token = _counters.set(())
    try:
        yield
    finally:
        _counters.reset(token)


def record_rows(*, forward: int = 0, backward: int = 0, equivalent: float | None = None) -> None:
    """Add passes to every open counter.

    Args:
        forward: The number of forward passes.
        backward: The number of backward passes.
        equivalent: The work of the forward passes in full forward passes; None means that each was computed in full.
    """
    for counter in _counters.get():
        counter.forward += forward
        counter.equivalent += forward if equivalent is None else equivalent
        counter.backward += backward
