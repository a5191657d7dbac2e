"""Laws call every method and metric many times: shapes and types are checked in one call of each, in `usual`."""

from collections.abc import Iterator

import pytest

from tests.support.checking import shapes_checked


@pytest.fixture(autouse=True, scope="module")
def _unchecked() -> Iterator[None]:
    with shapes_checked(False):
        yield
