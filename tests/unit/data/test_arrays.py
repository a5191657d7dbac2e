import zipfile

import numpy as np
import pytest

from heatproof.core.errors import DataError, SettingsError
from heatproof.data import Arrays, Dataset, Item

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def saved(path, **changes):
    """A file with six pictures to train on and two to test; a change of None leaves the key out."""
    content = {"X_train": PIXELS, "y_train": LABELS, "X_test": PIXELS[::-1][:2], "y_test": LABELS[::-1][:2]}
    content |= {"classes": np.array(["ant", "bee", "cat"])} | changes
    np.savez_compressed(path, **{key: value for key, value in content.items() if value is not None})
    return path


def test_a_part_is_listed_with_the_classes_in_turns_and_opened(path):
    data = Arrays(path=saved(path), part="train")
    items = data.items()
    assert [(item.name, item.label) for item in items] == [(f"train {row}", LABELS[row]) for row in (1, 2, 0, 4, 3, 5)]
    assert np.array_equal(np.array(data.open(items[3])), PIXELS[4])
    assert (data.open(items[3]).mode, data.class_names) == ("RGB", ("ant", "bee", "cat"))
    assert len({item.digest for item in items}) == 6


def test_test_is_the_part_that_is_taken_unless_told_otherwise(path):
    assert [item.name for item in Arrays(path=saved(path)).items()] == ["test 1", "test 0"]


def test_a_digest_is_of_the_pixels(path):
    train, test = (Arrays(path=saved(path), part=part).items() for part in ("train", "test"))
    digests = {item.name: item.digest for item in train + test}
    assert (digests["test 0"], digests["test 1"]) == (digests["train 5"], digests["train 4"])


def test_count_takes_the_first_of_the_part(path):
    assert [item.name for item in Arrays(path=saved(path), part="train", count=2).items()] == ["train 1", "train 2"]


@pytest.mark.parametrize("pixels", [PIXELS[..., 0], PIXELS[..., :1]], ids=["no channel", "one channel"])
def test_grey_pictures_may_have_a_channel_or_none(path, pixels):
    data = Arrays(path=saved(path, X_train=pixels), part="train")
    image = data.open(Item("train 1", ""))
    assert image.mode == "L"
    assert np.array_equal(np.array(image), PIXELS[1, ..., 0])


def test_keys_can_be_named_and_left_out(path):
    np.savez(path, pictures=PIXELS)
    data = Arrays(path=path, images="pictures", labels="", classes="")
    assert [(item.name, item.label) for item in data.items()] == [(f"test {row}", -1) for row in range(6)]
    assert data.class_names == ()


def test_settings_survive_a_round_trip(path):
    data = Arrays(path=path, part="train", count=3)
    assert Dataset.from_dict(data.to_dict()) == data


def test_a_file_that_has_changed_is_read_again(path):
    before = Arrays(path=saved(path), part="train").items()
    after = Arrays(path=saved(path, X_train=PIXELS[:4] // 2, y_train=LABELS[:4]), part="train").items()
    assert (len(before), len(after)) == (6, 4)


def test_what_is_shared_cannot_be_written(path):
    data = Arrays(path=saved(path))
    assert not any(table.flags.writeable for table in data._table()[:2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X_train": None}, "did not find X_train among y_train"),
        ({"y_train": None}, "did not find y_train"),
        ({"classes": None}, "did not find classes"),
        ({"X_train": PIXELS / 255}, "uint8.*got float64"),
        ({"X_train": PIXELS.astype(np.int64)}, "uint8.*got int64"),
        ({"X_train": PIXELS.transpose(0, 3, 1, 2)}, r"got uint8 \[6, 3, 8, 9\]; move the channels last"),
        ({"X_train": PIXELS[0, 0]}, r"got uint8 \[9, 3\]"),
        ({"X_train": PIXELS[:0], "y_train": LABELS[:0]}, "at least one image"),
        ({"X_train": PIXELS[:, :7]}, "sides of at least 8 pixels"),
        ({"y_train": LABELS[:5]}, r"a whole number for each image, \[6\], got int64 \[5\]"),
        ({"y_train": LABELS[:, None]}, r"got int64 \[6, 1\]"),
        ({"y_train": LABELS / 1}, "got float64"),
        ({"y_train": LABELS - 1}, "labels from 0 to 2, got -1 to 1"),
        ({"y_train": LABELS + 1}, "labels from 0 to 2, got 1 to 3"),
        ({"classes": np.arange(3)}, "class names"),
        ({"X_train": np.array([None] * 6)}, "pickled ones, which run code"),
    ],
    ids=str,
)
def test_a_file_with_other_content_is_an_error(path, changes, message):
    with pytest.raises(DataError, match=message):
        Arrays(path=saved(path, **changes), part="train").items()


def test_a_file_that_is_no_archive_is_an_error(tmp_path):
    single = tmp_path / "x.npy"
    np.save(single, PIXELS)
    with pytest.raises(DataError, match="whole and with named arrays"):
        Arrays(path=single).items()
    with pytest.raises(DataError, match=r"expected an \.npz file, got none"):
        Arrays(path=tmp_path / "none.npz").items()


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x80\x04N."], ids=["empty", "text", "a pickle"])
def test_bytes_from_elsewhere_are_an_error(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected an \.npz file, whole"):
        Arrays(path=path).items()


def test_a_damaged_file_is_an_error(path):
    whole = bytearray(saved(path).read_bytes())
    whole[200:300] = bytes(100)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="could not read"):
        Arrays(path=path, part="train").items()


@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_a_torn_file_is_an_error(path, share):
    whole = saved(path).read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"expected an \.npz file, whole"):
        Arrays(path=path).items()


def test_a_member_that_is_no_array_is_an_error(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X_test", b"text")
    with pytest.raises(DataError, match="8-bit pixels"):
        Arrays(path=path, labels="", classes="").items()


def test_an_item_of_another_set_is_an_error(path):
    data = Arrays(path=saved(path))
    with pytest.raises(DataError, match="expected an item of this set"):
        data.open(Item("test 2", ""))


def test_images_need_a_key(path):
    with pytest.raises(SettingsError, match="images: expected a key"):
        Arrays(path=path, images="")
