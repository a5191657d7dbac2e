"""What users give as images: every form becomes a data set or a list of images, and all else is refused with the conversion."""

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.core.errors import DataError, HeatproofError, ImageRefused, UsageError
from heatproof.core.objects import HeldObject, holding
from heatproof.data import Folder, ImageFolder, Photos, load, load_images
from heatproof.data.given_images import GivenImages
from heatproof.data.sources import dataset_of, image_list
from heatproof.models import Preprocessing

PREPROCESS = Preprocessing(side=8, resize=8)
IMAGES = torch.linspace(0, 1, 2 * 192).view(2, 3, 8, 8)
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)


class MapStyle:
    """A data set as torch has them: a length and items, which never end by an IndexError."""

    classes = ("ant", "bee")

    def __len__(self):
        return 2

    def __getitem__(self, row):
        return IMAGES[row % 2], row


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes" / "cat").mkdir(parents=True)
    for name in ("a.png", "classes/cat/b.png"):
        Image.fromarray(PIXELS[0]).save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        (IMAGES, (-1, -1)),
        ((IMAGES, torch.tensor([1, 0])), (1, 0)),
        ([IMAGES[0], IMAGES[1]], (-1, -1)),
        ([(IMAGES[0], 1), (IMAGES[1], torch.tensor(0))], (1, 0)),
        (((image, 1) for image in IMAGES), (1, 1)),
        ([(IMAGES, torch.tensor([1, 0]))], (1, 0)),
        ([{"image": IMAGES[0], "label": 1}, {"image": IMAGES[1], "label": None}], (1, -1)),
        (torch.utils.data.TensorDataset(IMAGES, torch.tensor([1, 0])), (1, 0)),
        (torch.utils.data.DataLoader(torch.utils.data.TensorDataset(IMAGES, torch.tensor([1, 0])), batch_size=2), (1, 0)),
        (MapStyle(), (0, 1)),
        (IMAGES.numpy(), (-1, -1)),
    ],
    ids=["batch", "pair", "list", "pairs", "generator", "batches", "mappings", "TensorDataset", "DataLoader", "map style", "numpy"],
)
def test_tensors_keep_their_values_and_labels_however_they_come(source, labels):
    images = image_list(source)
    assert torch.equal(torch.stack(images.tensors), IMAGES)
    assert images.labels == labels
    assert images.content != image_list(IMAGES * 0.5, labels).content
    assert images.content == image_list(IMAGES.clone(), labels).content or images.class_names == ("ant", "bee")


@pytest.mark.parametrize(
    "source",
    [PIXELS, list(PIXELS), [Image.fromarray(each) for each in PIXELS], ["0.png", "1.png"], [PIXELS[0], "1.png"]],
    ids=["pixels", "list of pixels", "PIL", "paths", "a mixture"],
)
def test_photographs_give_the_same_tensors_however_they_come(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for row, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(f"{row}.png")
    expected = torch.stack([PREPROCESS(Image.fromarray(each)) for each in PIXELS])
    assert torch.equal(load_images(source, PREPROCESS), expected)
    assert torch.equal(load_images(tmp_path, PREPROCESS), expected)
    assert torch.equal(load_images(source, PREPROCESS, count=1), expected[:1])


def test_a_photograph_alone_is_taken_and_its_rotation_is_applied(tmp_path):
    picture = Image.fromarray(PIXELS[0][:, :8])
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as opened:
        from_object = load_images(opened, PREPROCESS)
    assert torch.equal(from_object, load_images(tmp_path / "turned.png", PREPROCESS))
    assert not torch.equal(from_object[0], PREPROCESS(picture))


def test_a_path_is_a_folder_or_one_with_classes_and_a_name_is_a_data_set(folder):
    assert dataset_of("photos") == Photos()
    assert dataset_of(folder) == Folder(path=folder)
    assert dataset_of("classes") == ImageFolder(path="classes")
    assert dataset_of({"name": "folder", "path": "."}) == Folder(path=".")
    assert dataset_of("a.png") is None
    assert dataset_of("photos,count=3,regions=box") == Photos(count=3, regions="box")
    assert dataset_of("classes,count=1") == ImageFolder(path="classes", count=1)
    (folder / "digits").mkdir()
    with pytest.raises(UsageError, match=r"the name of both; write ./digits for the path, or .*for the data set"):
        dataset_of("digits")
    with pytest.raises(UsageError, match="Did you mean photos"):
        dataset_of("photo")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (IMAGES.numpy(), r"got floating-point numbers.*torch.from_numpy\(images\).permute"),
        (3, "got int"),
        ({"pixels": 1}, "got a mapping with pixels"),
        ([Image.fromarray(PIXELS[0]), IMAGES[0]], "got both"),
        (PIXELS.transpose(0, 3, 1, 2), r"images.transpose\(0, 2, 3, 1\)"),
        ("nothing.png", "expected an image file, found neither"),
        ([], "expected at least one image"),
        (Image.new("I;16", (9, 9)), "more than 8 bits"),
        (["."], "got a folder; give the folder alone"),
        ([object()], "got object among them"),
    ],
)
def test_what_is_no_photograph_is_refused_with_the_conversion(source, message):
    with pytest.raises(HeatproofError, match=message):
        load_images(source, PREPROCESS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": (IMAGES * 255).byte()}, r"got torch.uint8; use images.float\(\) / 255"),
        ({"source": [IMAGES[0], IMAGES[1, :, :5]]}, "resize and crop them alike"),
        ({"source": IMAGES, "labels": [1]}, "one for each of the 2 images, got 1"),
        ({"source": IMAGES, "labels": [0.5, 1]}, "expected the number of a class, got 0.5"),
        ({"source": IMAGES, "regions": torch.zeros(2, 4, 4)}, r"expected one for each image, \[2, 8, 8\]"),
        ({"source": PIXELS, "regions": torch.zeros(2, 9, 9)}, "give a Folder with `masks`"),
        ({"source": torch.zeros(5)}, r"expected \[n, c, h, w\], a table \[n, f\]"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(given, message):
    with pytest.raises(HeatproofError, match=message):
        image_list(**given)


def test_a_set_of_tensors_needs_no_preprocessing_and_one_of_photographs_does():
    tensors, photographs = image_list(IMAGES), image_list(PIXELS)
    with holding({each.content: HeldObject(each, "images") for each in (tensors, photographs)}):
        data = GivenImages(content=tensors.content)
        assert torch.equal(load(data, data.items(), None).images, IMAGES)
        with pytest.raises(DataError, match="expected photographs to open, got tensors"):
            data.open(data.items()[0])
        pictures = GivenImages(content=photographs.content)
        with pytest.raises(DataError, match="expected a way to make a tensor of image 0"):
            load(pictures, pictures.items(), None)
    with pytest.raises(DataError, match=r"expected images that heatproof\.run was given"):
        data.items()


def test_an_image_with_values_that_are_not_finite_is_refused_by_name():
    images = image_list(torch.cat([IMAGES, torch.full((1, 3, 8, 8), torch.nan)]))
    with holding({images.content: HeldObject(images, "images")}):
        data = GivenImages(content=images.content)
        refused = load(data, data.items(), None).refused
    assert [type(each) for each in refused] == [ImageRefused]
    assert refused[0].source == "image 2"


@pytest.mark.parametrize(
    ("source", "labels", "shapes"),
    [
        (torch.zeros(4, 7), None, [(7,)] * 4),
        (torch.zeros(4, 2, 3, 3, 3), None, [(2, 3, 3, 3)] * 4),
        (list(torch.zeros(4, 2, 9)), None, [(2, 9)] * 4),
        ((torch.zeros(4, 2, 9), torch.arange(4)), None, [(2, 9)] * 4),
        (torch.zeros(4, 2, 9), [0, 1, 0, 1], [(2, 9)] * 4),
        ([(torch.zeros(7), 1)], None, [(7,)]),
        (torch.zeros(3, 8, 8), None, [(3, 8, 8)]),
    ],
    ids=["table", "volumes", "signals", "signals with labels", "labels beside signals", "labelled row", "one image"],
)
def test_tables_signals_and_volumes_are_split_into_their_rows(source, labels, shapes):
    assert [tuple(each.shape) for each in image_list(source, labels).tensors] == shapes


def test_settings_may_follow_the_name_of_a_data_set_that_is_not_whole_without_them():
    assert dataset_of("arrays,path=pictures.npz,classes=").to_dict()["path"] == "pictures.npz"
    assert str(dataset_of("torchvision_set,dataset=CIFAR10,root=data")).startswith("torchvision_set(")
    with pytest.raises(HeatproofError, match="path"):
        dataset_of("arrays,part=test")
