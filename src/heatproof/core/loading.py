"""Loading of modules while Python's collector of garbage waits.

The modules of torch and of this package make a million objects, of which none is garbage. The collector looks through the new ones
each time that there are 700 more, and through all of them when a process ends; both together took 1.2 of the 2.9 seconds of a
process that imports the package and ends.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 30_000
"""How many new objects there are before a program of ours looks for garbage among them."""


@contextmanager
def loading() -> Iterator[None]:
    """A block that loads modules; what the caller has set for the collector holds afterwards.

    >>> import gc
    >>> from heatproof.core.loading import loading
    >>> with loading():
    ...     print(gc.isenabled())
    False
    >>> gc.isenabled()
    True
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def collect_rarely() -> None:
    """Look for garbage rarely in the rest of this process, and not at its end. This is for programs to call, not for libraries."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(gc.freeze)
