"""Claims, by which several processes that share the folder of a run divide its units.

A claim is a file `claims/<unit>` that only one process can create. While the process computes, it renews the time of the file; a
claim that has not been renewed for a while is that of a process that has died, and any other may take it over. Times are those of
the file system that all share, so that clocks of machines need not agree. A claim saves work and guards nothing: parts are written
as a whole, so a unit that two processes compute is stored once.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from heatproof.store.atomic import create_atomically

STALE = 120.0
"""The seconds after which a claim that was not renewed counts as left behind."""


class Claims:
    """The claims of one process on the units of a run.

    Args:
        folder: the folder of the run.
        stale: the seconds after which a claim that was not renewed may be taken over.

    >>> import tempfile
    >>> from heatproof.store.claims import Claims
    >>> folder = tempfile.mkdtemp()
    >>> mine, yours = Claims(folder), Claims(folder)
    >>> mine.take("u1"), yours.take("u1"), yours.take("u2")
    (True, False, True)
    >>> mine.release("u1")
    >>> yours.take("u1")
    True
    """

    def __init__(self, folder: Path | str, stale: float = STALE) -> None:
        self._folder = Path(folder) / "claims"
        self._stale = stale
        self._own = secrets.token_hex(8)

    def now(self) -> float:
        """The time of the file system, in seconds."""
        self._folder.mkdir(parents=True, exist_ok=True)
        probe = self._folder / f".now.{self._own}"
        probe.write_bytes(b"")
        os.utime(probe)
        time = probe.stat().st_mtime
        probe.unlink()
        return time

    def take(self, unit: str) -> bool:
        """Claim a unit; False if another process holds it."""
        path = self._folder / unit
        if create_atomically(path, self._own.encode()):
            return True
        try:
            if self.now() - path.stat().st_mtime < self._stale:
                return False
            path.rename(self._folder / f".left.{unit}.{self._own}")
        except FileNotFoundError:  # it was released, or another process has just taken it over
            pass
        (self._folder / f".left.{unit}.{self._own}").unlink(missing_ok=True)
        return create_atomically(path, self._own.encode())

    def release(self, unit: str) -> None:
        """Give a unit up that this process has claimed."""
        path = self._folder / unit
        with suppress(FileNotFoundError):
            if path.read_text() == self._own:
                path.unlink()

    @contextmanager
    def renewing(self, unit: str) -> Iterator[None]:
        """A block in which the claim on a unit is renewed; it ends with the block."""
        ended, path = Event(), self._folder / unit

        def renew() -> None:
            while not ended.wait(self._stale / 4):
                with suppress(FileNotFoundError):
                    os.utime(path)

        thread = Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.release(unit)
