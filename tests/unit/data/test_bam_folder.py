import numpy as np
import pytest
from PIL import Image

from heatproof.core.errors import DataError, ImageRefused
from heatproof.data import BamFolder

NAMES = {"dog-bedroom-0900.jpg": (10, 20, 40, 60), "zebra-track-0901.jpg": (5, 5, 30, 30), "dog-track-0902.jpg": (40, 8, 60, 50)}
"""Top, left, bottom and right of each object."""


@pytest.fixture
def root(tmp_path):
    """A few images in the layout of the set: grey scenes with a white disc for an object."""
    random = np.random.default_rng(0)
    for name, (top, left, bottom, right) in NAMES.items():
        object_name, scene_name, _ = name.split("-")
        scene = random.integers(40, 120, (8, 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        y, x = np.ogrid[:64, :64]
        high, wide = (y + 0.5 - (top + bottom) / 2) / (bottom - top), (x + 0.5 - (left + right) / 2) / (right - left)
        disc = high**2 + wide**2 < 1 / 4
        whole = np.where(disc[..., None], 250, scene).astype(np.uint8)
        for folder, inner, shown in (("obj", object_name, whole), ("scene", scene_name, whole), ("scene_only", scene_name, scene)):
            for part in (f"train/{inner}", "val"):
                (tmp_path / folder / part).mkdir(parents=True, exist_ok=True)
                Image.fromarray(shown).save(tmp_path / folder / part / name, quality=90)
    boxes = "".join(f"{name} {','.join(map(str, box))}\n" for name, box in NAMES.items())
    for file in ("loc.txt", "val_loc.txt"):
        (tmp_path / "obj" / file).write_text(boxes)
    return tmp_path


@pytest.mark.parametrize("part", ["train", "val"])
def test_labels_are_those_of_objects_or_scenes_and_classes_alternate(root, part):
    objects, scenes = (BamFolder(path=root, label=label, part=part) for label in ("object", "scene"))
    assert sorted(objects.class_names[item.label] for item in objects.items()) == ["dog", "dog", "zebra"]
    assert [objects.class_names[item.label] for item in objects.items()[:2]] == ["dog", "zebra"]
    assert sorted(scenes.class_names[item.label] for item in scenes.items()) == ["bedroom", "track", "track"]
    assert {item.digest for item in objects.items()} == {item.digest for item in scenes.items()}
    assert {item.region for item in objects.items()} == {"mask"}


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_region_is_the_object_and_the_scene_is_the_image_without_it(root, part):
    data = BamFolder(path=root, part=part)
    for item in data.items():
        top, left, bottom, right = NAMES[item.name.rpartition("/")[2]]
        inside = np.asarray(data.region(item)) > 0
        assert inside.sum() == pytest.approx(np.pi / 4 * (bottom - top) * (right - left), rel=0.1)
        assert not inside[:top].any()
        scene, image = (np.asarray(each).astype(int) for each in (data.scene(item), data.open(item)))
        assert np.abs(scene - image)[~inside].mean() < 10 < 100 < np.abs(scene - image)[inside].mean()


def test_the_scene_alone_has_the_labels_too(root):
    data = BamFolder(path=root, label="scene", shown="scene")
    assert all(item.name.startswith("scene_only/val/") for item in data.items())
    assert data.open(data.items()[0]).tobytes() == data.scene(data.items()[0]).tobytes()


def test_an_image_without_its_box_or_scene_has_no_region(root):
    (root / "scene_only" / "val" / "zebra-track-0901.jpg").unlink()
    (root / "obj" / "val_loc.txt").write_text("zebra-track-0901.jpg 5,5,30,30\ndog-track-0902.jpg 40,8,60,50\n")
    data = BamFolder(path=root)
    assert {item.name.rpartition("/")[2]: item.region for item in data.items()} == {
        "dog-bedroom-0900.jpg": "none",
        "zebra-track-0901.jpg": "none",
        "dog-track-0902.jpg": "mask",
    }
    with pytest.raises(ImageRefused, match="no box of it in"):
        data.region(next(item for item in data.items() if "bedroom" in item.name))


def test_what_is_no_set_of_bam_is_refused_with_the_remedy(root, tmp_path_factory):
    with pytest.raises(DataError, match="found neither a file nor a folder"):
        BamFolder(path=root / "elsewhere").items()
    (root / "obj" / "val" / "cat-bedroom-1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"cat-bedroom-1\.jpg: expected <object>-<scene>-<number>\.jpg"):
        BamFolder(path=root).items()
    (root / "obj" / "val" / "cat-bedroom-1.jpg").unlink()
    (root / "obj" / "val_loc.txt").write_text("dog-bedroom-0900.jpg 1,2,3\n")
    with pytest.raises(DataError, match="line 1: expected <name> <top>,<left>,<bottom>,<right>"):
        BamFolder(path=root).items()
    (root / "obj" / "val_loc.txt").unlink()
    with pytest.raises(DataError, match="expected the boxes around the objects, found none"):
        BamFolder(path=root).items()
