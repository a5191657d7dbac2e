"""Remarks: what an engine has to say about the maps of a call, to be noted with each of them, whatever method wraps the engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[dict[str, None] | None] = ContextVar("remarks", default=None)


@contextmanager
def collected_remarks() -> Iterator[dict[str, None]]:
    """Collect the remarks that are made inside a `with` block, each once, in their order.

    >>> from heatproof.passes.remarks import collected_remarks, remark
    >>> with collected_remarks() as remarks:
    ...     for _ in range(3):
    ...         remark("the network ends in a softmax")
    >>> list(remarks)
    ['the network ends in a softmax']
    """
    remarks: dict[str, None] = {}
    token = _collected.set(remarks)
    try:
        yield remarks
    finally:
        _collected.reset(token)


def remark(text: str) -> None:
    """Note something about all maps of the call that is running, if there is one."""
    remarks = _collected.get()
    if remarks is not None:
        remarks[text] = None
