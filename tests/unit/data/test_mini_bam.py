import importlib.util
from collections import Counter

import numpy as np
import pytest

from heatproof.core.errors import DataError
from heatproof.data import MiniBam
from heatproof.data.base import Dataset
from heatproof.data.textures import TEXTURES, texture

installed = pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="needs mlxtend")
PHOTOGRAPHS = MiniBam(objects="photographs", scenes="photographs", each=1, side=24)


def pixels(image):
    return np.asarray(image).astype(int)


def test_every_object_stands_before_every_scene_once_in_a_hundred():
    objects, scenes = PHOTOGRAPHS.items(), PHOTOGRAPHS.model_copy(update={"label": "scene"}).items()
    pairs = Counter((a.label, b.label) for a, b in zip(objects, scenes, strict=True))
    assert len(objects) == len(pairs) == 100
    assert [item.label for item in objects[:10]] == [item.label for item in scenes[:10]] == list(range(10))
    assert [item.digest for item in objects] == [item.digest for item in scenes]
    assert len({item.digest for item in objects}) == 100


@pytest.mark.parametrize("data", [PHOTOGRAPHS, pytest.param(MiniBam(count=7), marks=installed)], ids=["photographs", "digits"])
def test_an_image_is_its_scene_but_for_the_object(data):
    for item in data.items()[:7]:
        image, scene, mask = pixels(data.open(item)), pixels(data.scene(item)), pixels(data.region(item)) > 0
        differs = image != scene if image.ndim == 2 else (image != scene).any(2)
        assert not (differs & ~mask).any()
        assert differs[mask].mean() > 0.9
        rows, columns = np.where(mask)
        longer = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 0.45 < longer / data.side < 0.75


def test_the_scene_alone_is_what_is_shown_if_asked_for_and_knows_where_the_object_would_be():
    alone = PHOTOGRAPHS.model_copy(update={"shown": "scene", "count": 2})
    for item, whole in zip(alone.items(), PHOTOGRAPHS.items(), strict=False):
        assert alone.open(item) == alone.scene(item) == PHOTOGRAPHS.scene(whole)
        assert alone.region(item) == PHOTOGRAPHS.region(whole)
        assert item.digest != whole.digest


def test_parts_differ_and_the_same_settings_give_the_same_images():
    train, test = (MiniBam(objects="photographs", part=part, count=4).items() for part in ("train", "test"))
    assert not {item.digest for item in train} & {item.digest for item in test}
    assert MiniBam(objects="photographs", count=2).items() == train[:2]


def test_an_item_of_another_set_is_refused():
    with pytest.raises(DataError, match="mini_bam: expected an item of this set"):
        PHOTOGRAPHS.open(MiniBam(objects="photographs", count=200).items()[150])


@pytest.mark.parametrize("kind", TEXTURES)
def test_textures_have_two_tones_and_are_drawn_anew(kind):
    once, other = (texture(kind, 32, np.random.default_rng(seed)) for seed in (0, 1))
    assert once.max() <= 200
    assert once.std() > 10
    assert (once != other).mean() > 0.5


def test_an_unknown_texture_is_refused():
    with pytest.raises(ValueError, match="texture: expected one of horizontal stripes"):
        texture("plaid", 32, np.random.default_rng(0))


def test_a_set_that_does_not_know_its_scenes_has_none():
    assert Dataset.scene(PHOTOGRAPHS, PHOTOGRAPHS.items()[0]) is None
