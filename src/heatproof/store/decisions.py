"""Choices that the first process of a run makes and all others follow, so that its numbers are the same wherever it is resumed."""

import hashlib
import json
from pathlib import Path

from heatproof.core.errors import DataError
from heatproof.store.atomic import create_atomically, write_atomically


class Decisions:
    """The choices of a run, each a whole number under a name.

    Args:
        folder: the folder of the run.

    >>> import tempfile
    >>> from heatproof.store.decisions import Decisions
    >>> folder = tempfile.mkdtemp()
    >>> first, second = Decisions(folder), Decisions(folder)
    >>> first.get("threads"), first.decide("threads", 2), second.decide("threads", 4), second.get("threads")
    (None, 2, 2, 2)
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder) / "decided"
        self._known: dict[str, int] = {}

    def get(self, name: str) -> int | None:
        """The choice; None if nobody has made it.

        Raises:
            DataError: the file of the choice is damaged.
        """
        if name not in self._known:
            path = self._path(name)
            if not path.exists():
                return None
            try:
                self._known[name] = int(json.loads(path.read_bytes())["value"])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: expected a number, got {type(error).__name__}. Delete this file.") from error
        return self._known[name]

    def decide(self, name: str, value: int) -> int:
        """Make the choice if nobody has made it yet; the choice that holds."""
        create_atomically(self._path(name), _content(name, value))
        return self.get(name) or value

    def replace(self, name: str, value: int) -> None:
        """Make the choice anew."""
        write_atomically(self._path(name), _content(name, value))
        self._known[name] = value

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"


def _content(name: str, value: int) -> bytes:
    return json.dumps({"name": name, "value": value}).encode()
