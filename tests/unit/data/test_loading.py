import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.core.errors import ImageRefused, TensorError
from heatproof.data import Folder, Photos, load, load_images, load_regions
from heatproof.models import Preprocessing


def to_tensor(image):
    return torch.from_numpy(np.array(image.convert("RGB").resize((6, 5)), dtype=np.float32)).permute(2, 0, 1)


def test_items_become_one_batch_in_order():
    photos = Photos(names=("koala", "panda"))
    loaded = load(photos, photos.items(), to_tensor)
    assert loaded.images.shape == (2, 3, 5, 6)
    assert list(loaded.items) == photos.items()
    assert loaded.refused == ()
    assert torch.equal(loaded.images[1], to_tensor(photos.open(photos.items()[1])))


def test_a_run_goes_on_without_a_refused_image(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    Image.new("RGB", (9, 9)).save(tmp_path / "c.png")
    folder = Folder(path=tmp_path)
    loaded = load(folder, folder.items(), to_tensor)
    assert [item.name for item in loaded.items] == ["a.png", "c.png"]
    assert len(loaded.images) == 2
    assert [refusal.source for refusal in loaded.refused] == ["b.png"]


def test_when_all_are_refused_the_batch_is_empty(tmp_path):
    (tmp_path / "b.png").touch()
    folder = Folder(path=tmp_path)
    loaded = load(folder, folder.items(), to_tensor)
    assert (len(loaded.images), loaded.items, len(loaded.refused)) == (0, (), 1)


def test_values_that_are_not_finite_are_refused():
    photos = Photos(count=1)
    loaded = load(photos, photos.items(), lambda image: to_tensor(image) / 0)
    assert "NaN or infinite" in loaded.refused[0].reason


@pytest.mark.parametrize(
    "preprocess",
    [np.array, lambda image: to_tensor(image)[None], lambda image: to_tensor(image).byte()],
    ids=["array", "batch", "bytes"],
)
def test_a_preprocess_that_returns_something_else_is_an_error(preprocess):
    photos = Photos(count=1)
    with pytest.raises(TensorError, match="expected preprocess to return a floating tensor"):
        load(photos, photos.items(), preprocess)


def test_images_of_differing_shape_are_an_error():
    photos = Photos(names=("koala", "panda"))
    with pytest.raises(TensorError, match="let preprocess resize"):
        load(photos, photos.items(), lambda image: torch.zeros(3, *image.size))


def test_images_of_a_named_set_come_as_one_batch():
    images = load_images("digits", lambda image: torch.from_numpy(np.array(image, dtype=np.float32) / 255)[None], count=3)
    assert images.shape == (3, 1, 28, 28)


def test_images_that_cannot_all_be_used_are_refused_by_the_first_bad_one(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ImageRefused, match=r"a\.png"):
        load_images({"name": "folder", "path": str(tmp_path)}, lambda image: torch.zeros(1, 2, 2))


def test_regions_are_resized_and_cropped_as_their_images():
    """A photograph that is its own mask: where it is white, the region is, but for pixels that resizing blends."""
    photos, preprocessing = Photos(names=("panda", "navajo"), regions="mask"), Preprocessing(side=96, resize=112)
    found = load_regions(photos, preprocessing.region)
    assert found.shape == (2, 96, 96)
    for item, region in zip(photos.items(), found, strict=True):
        mask = photos.mask(item)
        if mask is None:
            assert region.isnan().all()
            continue
        seen = np.array(preprocessing.crop(mask.convert("L")).convert("L")) / 255
        clear = torch.from_numpy((seen < 0.01) | (seen > 0.99))
        assert clear.double().mean() > 0.9
        assert torch.equal(region[clear], torch.from_numpy(seen).round().float()[clear])


def test_an_image_without_a_region_gets_nan_all_over():
    assert load_regions("photos", Preprocessing(side=8, resize=8).region, count=11).isnan().all((1, 2)).tolist() == [False] * 10 + [
        True
    ]
