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
