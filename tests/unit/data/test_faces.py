"""The faces of scikit-image."""

import numpy as np
import pytest

from heatproof.core.errors import DataError
from heatproof.data import Faces, Item
from heatproof.data import faces as module


def test_there_are_a_hundred_different_grey_faces_without_labels():
    items = Faces().items()
    assert len({item.digest for item in items}) == len(items) == 100
    assert {item.label for item in items} == {-1}
    picture = Faces().open(items[99])
    assert (picture.mode, picture.size) == ("L", (25, 25))
    assert np.asarray(picture).std() > 10


def test_an_item_of_another_set_is_an_error():
    with pytest.raises(DataError, match="faces: expected an item of this set, which ends in a row below 100"):
        Faces().open(Item("digit 100", ""))


@pytest.mark.parametrize(
    "content", [None, b"no array", np.zeros((3, 25, 25)), np.zeros((100, 24, 25))], ids=["no file", "text", "few", "size"]
)
def test_a_file_that_is_not_as_expected_names_the_command_that_brings_it(tmp_path, monkeypatch, content):
    (tmp_path / "data").mkdir()
    if isinstance(content, bytes):
        (tmp_path / "data" / "lfw_subset.npy").write_bytes(content)
    elif content is not None:
        np.save(tmp_path / "data" / "lfw_subset.npy", content)

    class Package:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: Package())
    module._faces.cache_clear()
    with pytest.raises(DataError, match="pip install --force-reinstall scikit-image"):
        Faces().items()
    module._faces.cache_clear()
