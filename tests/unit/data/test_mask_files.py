"""Files that mark an object, in every way in which people save them."""

import re

import numpy as np
import pytest
from PIL import Image

from heatproof.core.errors import ImageRefused
from heatproof.data.mask_files import open_mask

INSIDE = np.zeros((16, 20), bool)
INSIDE[4:12, 6:15] = True


def grey(outside, inside):
    return Image.fromarray(np.where(INSIDE, inside, outside).astype(np.uint8))


def palette(*colours):
    image = Image.frombytes("P", (20, 16), grey(0, 1).tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return image


def soft():
    edge = np.where(INSIDE, 255, 0)
    edge[3, 6:15], edge[12, 6:15] = 100, 60
    return Image.fromarray(edge.astype(np.uint8))


def cut_out():
    photograph = Image.new("RGB", (20, 16), (90, 120, 30)).convert("RGBA")
    photograph.putalpha(grey(0, 255))
    return photograph


FILES = {
    "white on black": grey(0, 255),
    "one and zero": grey(0, 1),
    "grey on black": grey(0, 128),
    "one bit": grey(0, 255).convert("1"),
    "soft edges": soft(),
    "palette of black and white": palette((0, 0, 0), (255, 255, 255)),
    "palette with a dark colour": palette((0, 0, 0), (128, 0, 0)),
    "transparent around a photograph": cut_out(),
    "opaque, white on black": grey(0, 255).convert("RGBA"),
    "red on black": Image.merge("RGB", [grey(0, 255), grey(0, 0), grey(0, 0)]),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_mask_is_white_on_the_object_however_it_was_saved(kind, tmp_path):
    FILES[kind].save(tmp_path / "mask.png")
    mask = open_mask(tmp_path / "mask.png", "mask.png")
    assert mask.mode == "L"
    assert np.array_equal(np.asarray(mask), np.where(INSIDE, 255, 0))


@pytest.mark.parametrize(("value", "covered"), [(0, 0), (1, 255), (255, 255)])
def test_a_mask_of_one_value_is_empty_or_full(value, covered, tmp_path):
    Image.new("L", (16, 16), value).save(tmp_path / "mask.png")
    assert open_mask(tmp_path / "mask.png", "mask.png").getextrema() == (covered, covered)


def test_a_map_of_classes_is_refused(tmp_path):
    Image.fromarray(np.where(INSIDE, 7, np.arange(20) % 3).astype(np.uint8)).save(tmp_path / "classes.png")
    with pytest.raises(ImageRefused, match=re.escape("got 4 values from 0 to 7; save the object alone, white on black")):
        open_mask(tmp_path / "classes.png", "classes.png")
    Image.fromarray(np.where(INSIDE, 200, 100).astype(np.uint8)).save(tmp_path / "greys.png")
    with pytest.raises(ImageRefused, match="got 2 values from 100 to 200"):
        open_mask(tmp_path / "greys.png", "greys.png")
