"""Seeds that are derived by hashing, so that no random number depends on what was computed before it.

A draw is named by (seed, image digest, stream, index). The same name gives the same draw on any machine, in any batch and in any
order; different names give independent draws. This library uses no global random generator.
"""

import hashlib
from typing import NewType

Key = NewType("Key", bytes)
"""Sixteen bytes from which draws and further keys are derived."""


def derive(*parts: int | str | bytes) -> Key:
    """The hash of the parts, in order. The type and the length of each part are hashed too, so that ("ab",) differs from ("a",
    "b").

    >>> from heatproof.core.seeds import derive
    >>> derive("noise", 0) == derive("noise", 0), derive("ab") == derive("a", "b")
    (True, False)
    """
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        state.update(f"{type(part).__name__}:{len(raw)}:".encode())
        state.update(raw)
    return Key(state.digest())


def seed_of(key: Key) -> int:
    """The seed of a generator, in [0, 2⁶³), that follows from a key."""
    return int.from_bytes(key[:8], "little") >> 1


def seed_of_draw(seed: int, draw: int) -> int:
    """The seed of the maps of one of several draws of a metric: the metric's own for the first, so that it needs no further map.

    A method that draws random numbers draws others for each, so that the spread over draws is that of the whole score.

    >>> from heatproof.core.seeds import seed_of_draw
    >>> seed_of_draw(7, 0), seed_of_draw(7, 1) == seed_of_draw(7, 2)
    (7, False)
    """
    return seed if draw == 0 else seed_of(derive(seed, "maps", draw))
