"""Seeds derived by hashing, so that no random number depends on what ran before it.

A draw is named by (seed, image digest, stream, index). The same name gives the same draw on any machine, in any batch, in any
order; different names give independent draws. There is no global generator anywhere in this library.
"""

import hashlib
from typing import NewType

Key = NewType("Key", bytes)
"""Sixteen bytes from which draws and further keys are derived."""


def derive(*parts: int | str | bytes) -> Key:
    """Hash of the parts, in order; the type and length of each part count, so that ("ab",) differs from ("a", "b")."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        state.update(f"{type(part).__name__}:{len(raw)}:".encode())
        state.update(raw)
    return Key(state.digest())


def seed_of(key: Key) -> int:
    """A generator seed in [0, 2⁶³)."""
    return int.from_bytes(key[:8], "little") >> 1
