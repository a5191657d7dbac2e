"""Noise with one bright patch that tells the class."""

import numpy as np
import pytest

from heatproof.core.errors import SettingsError
from heatproof.data import PlantedPatches

DATA = PlantedPatches(n=12, side=12, patch=4)


def pixels(image):
    return np.asarray(image).astype(int)


def test_the_patch_is_brighter_than_all_else_and_its_white_half_is_the_class():
    for item in DATA.items():
        image, mask = pixels(DATA.open(item)), pixels(DATA.region(item)) > 0
        assert image[mask].min() > image[~mask].max()
        rows, columns = (slice(each.min(), each.max() + 1) for each in np.where(mask))
        white = image[rows, columns] == 255
        halves = {"top": white[:2], "bottom": white[2:], "left": white[:, :2], "right": white[:, 2:]}
        assert white.shape == (4, 4)
        assert white.sum() == 8
        assert halves[DATA.class_names[item.label]].all()


def test_parts_share_nothing_and_the_number_of_images_changes_none_of_them():
    digests = [item.digest for item in DATA.items()]
    assert digests == [item.digest for item in DATA.model_copy(update={"n": 30, "count": 12}).items()]
    assert not {*digests} & {item.digest for item in DATA.model_copy(update={"part": "test"}).items()}
    assert len({*digests}) == 12


@pytest.mark.parametrize("patch", [3, 8])
def test_a_patch_without_halves_or_larger_than_half_of_the_side_is_refused(patch):
    with pytest.raises(SettingsError, match="patch: expected an even number up to half of the side, 6, got"):
        PlantedPatches(side=12, patch=patch)
