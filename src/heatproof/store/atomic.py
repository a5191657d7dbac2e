"""A file is written completely or not at all.

The content goes to a temporary file in the same folder, which is flushed, synchronised with the disk and renamed; then the folder
is synchronised. A reader therefore sees the old content or the new content and never a part of it, even after a power failure. Of
two writers at the same time, the last one prevails. This needs no lock and works on network file systems. The names of temporary
files begin with a dot, so patterns such as `*.parquet` do not match them.
"""

import os
import secrets
from pathlib import Path

from heatproof.core.errors import UsageError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, and create the folders above it if necessary.

    Raises:
        OSError: the file system refuses. An existing file is then unchanged, and no temporary file is left.
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


def create_atomically(path: Path, content: bytes) -> bool:
    """Write `content` to `path` unless the file exists; False if it does. Of several processes, one creates the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content)
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def check_folder(path: Path) -> None:
    """Check that files can be written into a folder, which need not exist yet.

    Raises:
        UsageError: It, or one of the folders above it, is a file or may not be written.
    """
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise UsageError(f"{path}: expected a folder, got a file at {nearest}; choose another folder with --out")
    if not os.access(nearest, os.W_OK):
        raise UsageError(f"{path}: expected a folder that may be written, got {nearest}; choose another folder with --out")


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable on platforms on which a folder can be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
