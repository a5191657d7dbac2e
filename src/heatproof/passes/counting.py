"""Counts of rows through the network, the machine-independent cost of everything here."""

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
    """Rows that went forward, and rows that went backward.

    `clean`, in a stated cost: how many of the forward rows are the clean image itself, which costs nothing where its outputs are
    known (`passes.forward.known_outputs`).

    `equivalent`, of what was counted: the forward rows in work. A row of which only a part was computed counts as that part of the
    network's floating-point operations, and a row that answered nothing, as one that is kept to look things up in, counts too.
    """

    forward: int = 0
    backward: int = 0
    clean: int = 0
    equivalent: float = field(default=0.0, compare=False)


_counters: ContextVar[tuple[PassCount, ...]] = ContextVar("pass counters", default=())


@contextmanager
def count_passes() -> Iterator[PassCount]:
    """Count every row that passes inside the block; blocks nest, and each counts all it encloses."""
    counter = PassCount()
    token = _counters.set((*_counters.get(), counter))
    try:
        yield counter
    finally:
        _counters.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Rows inside the block belong to no counter outside it: what is done once for a network, whatever is asked of it."""
    token = _counters.set(())
    try:
        yield
    finally:
        _counters.reset(token)


def record_rows(*, forward: int = 0, backward: int = 0, equivalent: float | None = None) -> None:
    """Add rows to every open counter; unless told otherwise, forward rows were computed in full."""
    for counter in _counters.get():
        counter.forward += forward
        counter.equivalent += forward if equivalent is None else equivalent
        counter.backward += backward
