import hashlib

import pytest
from PIL import Image

from heatproof.core.errors import DataError, ImageRefused, UnknownNameError
from heatproof.core.settings import exports
from heatproof.data import UNREADABLE, Dataset, Folder, ImageFolder, Item


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.png", "c.JPG"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    (tmp_path / "notes.md").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    return tmp_path


def class_folders(root, **files):
    for name, count in files.items():
        (root / name).mkdir()
        for number in range(count):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(root / name / f"{number}.png")
    return root


def test_every_data_set_that_can_be_named_is_listed():
    assert sorted(exports(Dataset)) == [
        *(
            "arrays",
            "bam_folder",
            "digits",
            "faces",
            "folder",
            "image_folder",
            "mini_bam",
            "molecules",
            "mosaics",
            "photos",
            "planted_marks",
            "planted_patches",
            "torchvision_set",
        ),
    ]


def test_settings_survive_a_round_trip(tmp_path):
    folder = Folder(path=tmp_path, classes=("a", "b"), count=3)
    assert Dataset.from_dict(folder.to_dict()) == folder


def test_a_folder_lists_its_images_by_name_and_nothing_else(folder):
    assert [item.name for item in Folder(path=folder).items()] == ["a.png", "b.png", "c.JPG"]


def test_the_digest_is_that_of_the_bytes(folder):
    item = Folder(path=folder).items()[0]
    assert item.digest == hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()[:32]


def test_count_takes_the_first(folder):
    assert len(Folder(path=folder, count=2).items()) == 2


def test_without_a_labels_file_labels_are_unknown(folder):
    assert {item.label for item in Folder(path=folder).items()} == {-1}


@pytest.mark.parametrize("line", ["a.png,3", "a.png\t3", "a.png 3", "a.png, n01484850"])
def test_a_labels_file_names_an_image_and_its_label(folder, tmp_path, line):
    (tmp_path / "labels.txt").write_text(f"# name, label\n\n{line}\n")
    labels = [item.label for item in Folder(path=folder, labels=tmp_path / "labels.txt").items()]
    assert labels == [2 if "n0" in line else 3, -1, -1]


def test_a_labels_file_may_use_class_names_with_spaces(folder, tmp_path):
    (tmp_path / "labels.txt").write_text("b.png,giant panda\n")
    labels = [item.label for item in Folder(path=folder, labels=tmp_path / "labels.txt", classes=("cat", "giant panda")).items()]
    assert labels == [-1, 1, -1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "a.png,dogg",
            r"labels.txt, line 1: unknown label 'dogg', expected one of the 2 classes or their index; did you mean dog\?",
        ),
        ("a.png,2", "unknown label '2'"),
        ("z.png,dog", "no image called 'z.png'"),
        ("a.png", "expected a file name and a label"),
    ],
)
def test_a_bad_line_in_a_labels_file_is_named(folder, tmp_path, line, message):
    (tmp_path / "labels.txt").write_text(line)
    with pytest.raises(DataError, match=message):
        Folder(path=folder, labels=tmp_path / "labels.txt", classes=("cat", "dog")).items()


def test_a_labels_file_that_is_missing_is_named(folder, tmp_path):
    with pytest.raises(DataError, match=r"gone\.txt: expected a UTF-8 text file"):
        Folder(path=folder, labels=tmp_path / "gone.txt").items()


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no images here; expected files that end in"):
        Folder(path=tmp_path).items()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected a folder of images, found neither a file nor a folder"):
        Folder(path=tmp_path / "gone").items()


def test_masks_belong_to_the_images_of_their_stem(folder, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.new("L", (9, 9), 255).save(masks / "c.png")
    data = Folder(path=folder, masks=masks)
    assert [item.region for item in data.items()] == ["none", "none", "mask"]
    assert data.region(data.items()[0]) is None
    assert data.region(data.items()[2]).getextrema() == (255, 255)
    assert {item.region for item in Folder(path=folder).items()} == {"none"}


def test_a_mask_of_another_size_than_its_image_is_refused(folder, tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (9, 12), 255).save(tmp_path / "masks" / "a.png")
    data = Folder(path=folder, masks=tmp_path / "masks")
    with pytest.raises(ImageRefused, match=r"a\.png: expected a mask of the image's size, \(9, 9\), got \(9, 12\)"):
        data.region(data.items()[0])


def test_a_file_is_no_folder(folder):
    with pytest.raises(DataError, match="got a file"):
        Folder(path=folder / "a.png").items()


def test_a_folder_in_a_link_loop_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(DataError, match="may not be listed"):
        Folder(path=tmp_path / "loop").items()


def test_what_cannot_be_read_is_listed_without_a_digest_and_refused_when_opened(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "photo.heic").write_bytes(b"ftypheic")
    items = Folder(path=tmp_path).items()
    assert [item.digest == UNREADABLE for item in items] == [True, True, False]
    for item in items:
        with pytest.raises(ImageRefused, match=item.name):
            Folder(path=tmp_path).open(item)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_an_item_outside_the_folder_is_refused(folder, name):
    with pytest.raises(ImageRefused, match="expected a path inside"):
        Folder(path=folder).open(Item(name, ""))


def test_class_folders_get_their_sorted_position(tmp_path):
    data = ImageFolder(path=class_folders(tmp_path, dog=1, cat=1))
    assert data.class_names == ("cat", "dog")
    assert [(item.name, item.label) for item in data.items()] == [("cat/0.png", 0), ("dog/0.png", 1)]
    assert data.open(data.items()[1]).size == (9, 9)


def test_classes_take_turns(tmp_path):
    data = ImageFolder(path=class_folders(tmp_path, dog=3, cat=1), count=3)
    assert [item.name for item in data.items()] == ["cat/0.png", "dog/0.png", "dog/1.png"]


def test_given_classes_decide_the_index(tmp_path):
    data = ImageFolder(path=class_folders(tmp_path, dog=1, cat=1), classes=("bird", "dog", "cat"))
    assert {item.name: item.label for item in data.items()} == {"dog/0.png": 1, "cat/0.png": 2}


def test_wordnet_ids_become_imagenet_indices(tmp_path):
    data = ImageFolder(path=class_folders(tmp_path, n02510455=1, n01440764=1))
    assert {item.name: item.label for item in data.items()} == {"n02510455/0.png": 388, "n01440764/0.png": 0}
    assert data.class_names == ()


def test_a_wordnet_id_outside_imagenet_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"unknown label 'n99999999'.*not one of the 1,000"):
        ImageFolder(path=class_folders(tmp_path, n99999999=1)).items()


def test_a_stranger_among_wordnet_ids_is_an_error(tmp_path):
    with pytest.raises(DataError, match="unknown label 'misc' among WordNet ids"):
        ImageFolder(path=class_folders(tmp_path, n01440764=1, misc=1)).items()


def test_a_folder_that_is_no_class_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"unknown label 'cats'.*did you mean cat\?"):
        ImageFolder(path=class_folders(tmp_path, cats=1), classes=("cat", "dog")).items()


def test_class_folders_without_images_are_an_error(tmp_path):
    with pytest.raises(DataError, match="no images in its 2 folders"):
        ImageFolder(path=class_folders(tmp_path, cat=0, dog=0)).items()


def test_a_flat_folder_is_no_image_folder(folder):
    with pytest.raises(DataError, match="expected one folder a class"):
        ImageFolder(path=folder).items()


def test_an_unknown_data_set_is_named_with_its_nearest():
    from heatproof.core.settings import lookup

    with pytest.raises(UnknownNameError, match="Did you mean folder"):
        lookup(Dataset, "foldr")
