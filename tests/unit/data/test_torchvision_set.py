import importlib.util
import struct

import numpy as np
import pytest

from heatproof.core.errors import DataError, UnknownNameError
from heatproof.data import Item, TorchvisionSet

pytest.importorskip("torchvision")


@pytest.fixture
def root(tmp_path):
    """Three images of FashionMNIST's form."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(3 * 28 * 28, dtype=np.uint8)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 3, 28, 28) + pixels.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 3) + bytes([9, 0, 4]))
    return tmp_path


def test_a_set_on_disk_is_listed_and_opened(root):
    data = TorchvisionSet(dataset="FashionMNIST", root=root)
    items = data.items()
    assert [(item.name, item.label) for item in items] == [
        (f"FashionMNIST test {row}", label) for row, label in enumerate((9, 0, 4))
    ]
    assert data.class_names[9] == "Ankle boot"
    assert (data.open(items[1]).mode, data.open(items[1]).size) == ("L", (28, 28))
    assert len({item.digest for item in items}) == 3


def test_count_takes_the_first(root):
    assert len(TorchvisionSet(dataset="FashionMNIST", root=root, split="train", count=2).items()) == 2


def test_an_unknown_set_is_answered_with_the_nearest(root):
    with pytest.raises(UnknownNameError, match="Did you mean FashionMNIST"):
        TorchvisionSet(dataset="FashionMNST", root=root).items()


def test_a_set_that_is_not_on_disk_is_an_error_with_the_remedy(tmp_path):
    with pytest.raises(DataError, match=r"cannot be opened .*set download = true"):
        TorchvisionSet(dataset="CIFAR10", root=tmp_path).items()


def test_an_unknown_split_is_an_error(root):
    with pytest.raises(DataError, match="expected split to be train or test, got 'validation'"):
        TorchvisionSet(dataset="FashionMNIST", root=root, split="validation").items()


def test_a_set_without_splits_is_an_error(root):
    with pytest.raises(DataError, match="no train and test parts"):
        TorchvisionSet(dataset="Caltech101", root=root).items()


def test_an_item_of_another_set_is_an_error(root):
    with pytest.raises(DataError, match="expected an item of this set"):
        TorchvisionSet(dataset="FashionMNIST", root=root).open(Item("FashionMNIST test 99", ""))


def test_without_torchvision_the_command_that_brings_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="run: pip install torchvision"):
        TorchvisionSet(dataset="SVHN", root=tmp_path).items()


def test_synonyms_of_a_class_are_one_name_and_the_whole_of_imagenet_has_the_networks_own_names(root, monkeypatch):
    from types import SimpleNamespace

    data = TorchvisionSet(dataset="FashionMNIST", root=root)
    few = SimpleNamespace(wnids=["n01440764"], classes=[("tench", "Tinca tinca")])
    monkeypatch.setattr(TorchvisionSet, "_set", lambda self: few)
    assert data.class_names == ("tench, Tinca tinca",)
    few.wnids = few.wnids * 1000
    assert data.class_names == ()
