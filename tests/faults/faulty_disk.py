"""A disk that refuses to write: from a certain operation on, or just once."""

import errno
import io
import os
from collections import Counter
from contextlib import contextmanager

import pytest

CHANGES = ("mkdir", "replace", "rename", "link", "unlink", "fsync", "utime")
"""The functions of `os` that change a file system, besides `open` and writing."""


class FaultyDisk:
    """Counts the operations that change files below a folder, and lets one of them fail, or this one and all later ones.

    Where an operation is a write, half of it reaches the disk. On a full disk, deleting and renaming succeed.
    """

    def __init__(self, folder, at=None, code=errno.ENOSPC):
        self.folder, self.at, self.code = str(folder), at, code
        self.operations = 0
        self.seen = Counter()
        self._handles = set()

    def _fails(self, operation):
        if self.code == errno.ENOSPC and operation in ("unlink", "replace", "rename", "utime"):
            return False
        self.operations += 1
        self.seen[operation] += 1
        return self.at is not None and self.operations >= self.at

    def _is_below(self, path):
        return path in self._handles if isinstance(path, int) else str(path).startswith(self.folder)

    def refuse(self, operation, path):
        if self._fails(operation):
            raise OSError(self.code, os.strerror(self.code), str(path))

    @contextmanager
    def in_place(self):
        """A block in which files are written on this disk."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CHANGES:
                patch.setattr(os, name, self._changing(name, getattr(os, name)))
            original = io.open

            def opened(path, mode="r", *arguments, **options):
                if not self._is_below(path) or not set(mode) & set("wxa+"):
                    return original(path, mode, *arguments, **options)
                self.refuse("open", path)
                file = original(path, mode, *arguments, **options)
                self._handles.add(file.fileno())
                return _File(self, file)

            patch.setattr(io, "open", opened)
            yield self

    def _changing(self, name, original):
        def changed(path, *arguments, **options):
            if self._is_below(path) or any(isinstance(each, os.PathLike) and self._is_below(each) for each in arguments):
                self.refuse(name, path)
            return original(path, *arguments, **options)

        return changed


class _File:
    """An open file whose writing may stop half way."""

    def __init__(self, disk, file):
        self._disk, self._file = disk, file

    def write(self, content):
        if self._disk._fails("write"):
            self._file.write(content[: len(content) // 2])
            raise OSError(self._disk.code, os.strerror(self._disk.code))
        return self._file.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._disk._handles.discard(self._file.fileno())
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)
