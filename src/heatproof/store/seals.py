"""The seal of a part, by which the whole file is verified without being parsed.

    … records │ text · length of text (2 bytes) · checksum (4 bytes) · MAGIC │ footer · length of footer (4 bytes) · PAR1

The seal stands before the footer of a Parquet file, where no reader looks. Its checksum is that of all bytes of the file but its
own four, so that a file that has the right one is what was written, to the last bit; its text says what that was.
"""

import zlib

MAGIC = b"HPS1"
_TAIL, _FIXED = 8, 2 + 4 + len(MAGIC)


def sealed(content: bytes, text: str) -> bytes:
    """A Parquet file with a seal.

    >>> from heatproof.store.seals import seal_of, sealed
    >>> file = b"PAR1 records footer" + (6).to_bytes(4, "little") + b"PAR1"
    >>> seal_of(sealed(file, "u1")), seal_of(file), seal_of(sealed(file, "u1").replace(b"records", b"recorda"))
    ('u1', None, '')
    """
    at, said = _footer(content), text.encode()
    before = content[:at] + said + len(said).to_bytes(2, "little")
    after = MAGIC + content[at:]
    return before + _checksum(before, after) + after


def seal_of(content: bytes) -> str | None:
    """The text of the seal of a Parquet file; None if there is none, and empty if the file is not what was sealed."""
    at = _footer(content)
    seal = content[max(at - _FIXED, 0) : max(at, 0)]
    if len(seal) < _FIXED or not seal.endswith(MAGIC):
        return None
    view, end = memoryview(content), at - _FIXED + 2
    if _checksum(view[:end], view[end + 4 :]) != seal[2:6]:
        return ""
    return content[end - 2 - int.from_bytes(seal[:2], "little") : end - 2].decode(errors="replace")


def _footer(content: bytes) -> int:
    return len(content) - _TAIL - int.from_bytes(content[-_TAIL:-4], "little")


def _checksum(before: bytes | memoryview, after: bytes | memoryview) -> bytes:
    return zlib.crc32(after, zlib.crc32(before)).to_bytes(4, "little")
