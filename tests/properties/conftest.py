"""Properties are tried on many networks and examples, so that shapes and types are checked by the tests of units alone."""

from collections.abc import Iterator

import pytest

from tests.support.checking import shapes_checked


@pytest.fixture(autouse=True, scope="module")
def _unchecked() -> Iterator[None]:
    with shapes_checked(False):
        yield
