"""Write a file whole or not at all.

Temporary file in the same folder → flush → fsync → rename → fsync of the folder. A reader sees the old content or the new, never a
part of it, also after a power cut; of two racing writers the last one wins whole. Works on network file systems, needs no lock.
Temporary names begin with a dot, so that `*.parquet` and its like never match them.
"""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`, making the folders above it.

    Raises:
        OSError: the file system refuses; the old file, if any, is untouched and no temporary file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename durable, where the platform lets a folder be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
