import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from heatproof.core.errors import UsageError
from heatproof.pictures.export import images_at, part, to_pandas


def test_numpy_numbers_are_numbers():
    assert images_at(np.int64(1), 3, "Scores") == slice(1, 2)


def test_an_index_of_another_kind_is_refused():
    with pytest.raises(UsageError, match="Scores: expected a number or a slice, got str; index one image at a time"):
        images_at("cat", 3, "Scores")


def test_parts_of_mappings_and_of_nothing():
    assert part({"a": [1, 2], "b": (3, 4)}, slice(1, 2)) == {"a": [2], "b": (4,)}
    assert part(None, slice(0, 1)) is None


def test_a_data_frame_is_that_of_the_table(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", ModuleType("pandas"))
    assert to_pandas(SimpleNamespace(to_pandas=lambda: "frame")) == "frame"
