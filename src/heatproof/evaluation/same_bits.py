"""What must be alike in all processes of a run for its numbers to be the same to the last bit: threads, and passes at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from heatproof.models.model import Model
from heatproof.passes.memory import chunk_sizes_of
from heatproof.store.decisions import Decisions


@contextmanager
def same_bits(run: Path) -> Iterator[None]:
    """A block that computes with as many threads, and as many passes at once, as the first process of the run chose."""
    decisions, own = _decisions(run), torch.get_num_threads()
    threads = decisions.decide("threads", own)
    try:
        if threads != own:
            torch.set_num_threads(threads)
        with chunk_sizes_of(partial(_ChunkSizes, decisions)):
            yield
    finally:
        if threads != own:
            torch.set_num_threads(own)


def forget_decisions() -> None:
    """Drop what this process remembers of a run, which may be deleted and made again."""
    _decisions.cache_clear()


@lru_cache(maxsize=1)
def _decisions(run: Path) -> Decisions:
    return Decisions(run)


class _ChunkSizes:
    """The chunk sizes of one network in a run."""

    def __init__(self, decisions: Decisions, model: Model) -> None:
        self._decisions, self._network = decisions, model.name

    def get(self, key: tuple[Any, ...], /) -> int | None:
        return self._decisions.get(self._name(key))

    def setdefault(self, key: tuple[Any, ...], size: int, /) -> int:
        return self._decisions.decide(self._name(key), size)

    def __setitem__(self, key: tuple[Any, ...], size: int, /) -> None:
        self._decisions.replace(self._name(key), size)

    def _name(self, key: tuple[Any, ...]) -> str:
        return " ".join(map(str, ("passes at once of", self._network, *key)))
