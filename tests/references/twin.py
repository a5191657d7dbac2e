"""A mark for the tests that compare a method, metric or attack with its slow twin; `test_every_twin.py` looks for it."""

from collections.abc import Callable
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., None])


def twin_of(*names: str) -> Callable[[Test], Test]:
    """Mark a test as the one that compares these, by their names in TOML, with numbers computed from the paper's formula."""

    def mark(test: Test) -> Test:
        return test

    return mark
