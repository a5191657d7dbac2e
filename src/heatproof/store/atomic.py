"""A file is written completely or not at all.

The content goes to a temporary file in the same folder, which is flushed, synchronised with the disk and renamed; then the folder
is synchronised. A reader therefore sees the old content or the new content and never a part of it, even after a power failure. Of
two writers at the same time, the last one prevails. This needs no lock and works on network file systems. The names of temporary
files begin with a dot, so patterns such as `*.parquet` do not match them.
"""

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heatproof.core.errors import StorageError, UsageError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes at `path`; what the file system refuses there becomes an error in one line, with its remedy.

    Raises:
        StorageError: the file system refuses.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        said = error.strerror or str(error)
        raise StorageError(f"{path}: expected a place to write to, got {said!r}; {_remedy(error)}") from error


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write `content`, as a whole or in pieces, to `path`, and create the folders above it if necessary.

    Raises:
        StorageError: the file system refuses. An existing file is then unchanged, and no temporary file is left.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _written(path, content)
        try:
            temporary.replace(path)
        except BaseException:
            _discard(temporary)
            raise
        _sync_folder(path.parent)


def create_atomically(path: Path, content: bytes) -> bool:
    """Write `content` to `path` unless the file exists; False if it does. Of several processes, one creates the file.

    Raises:
        StorageError: the file system refuses.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _written(path, content)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        finally:
            _discard(temporary)
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


def check_links(folder: Path) -> None:
    """Check that no folder inside that of a run is a link out of it, since a run of a stranger may lead anywhere.

    Raises:
        UsageError: a folder is such a link.
    """
    home = folder.resolve()
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_symlink() and entry.is_dir() and not entry.resolve().is_relative_to(home):
            raise UsageError(
                f"{entry}: expected a folder inside {folder}, got a link to {entry.resolve()}; replace the link by what it leads to"
            )


def _written(path: Path, content: bytes | Iterable[bytes]) -> Path:
    """A new file beside `path` that holds the content, on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            for piece in (content,) if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _discard(temporary)
        raise
    return temporary


def _discard(temporary: Path) -> None:
    """Delete a temporary file, if the file system allows that; readers do not see it in either case."""
    with suppress(OSError):
        temporary.unlink()


def _remedy(error: OSError) -> str:
    again = "start the same command again; what is stored already is kept"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"free space on this disk, then {again}"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"make the folder writable or choose another one, then {again}"
    return f"mend the disk or choose another folder, then {again}"


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable on platforms on which a folder can be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
