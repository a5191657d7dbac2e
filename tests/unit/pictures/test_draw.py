"""Figures of each kind of map, by what they say and where their parts lie."""

import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.core.records import Reduction
from heatproof.pictures import letters
from heatproof.pictures.draw import MOST_SLICES, draw
from heatproof.pictures.sheet import Panel, Sheet
from heatproof.pictures.tables import MOST_BARS

from .words import pixels_of_axes, words

RNG = np.random.default_rng(0)
SHAPES = {"table": (20,), "signal": (2, 30), "many channels": (9, 30), "image": (3, 8, 6), "volume": (1, 12, 8, 6)}


def sheet(shape, *, n=1, image=False, **fields):
    """A sheet of random maps, with something explained under them if `image`."""
    shown = {1: shape, 2: shape, 3: (*shape[1:], 3), 4: shape[1:]}[len(shape)]

    def explained():
        numbers = RNG.normal(size=shown)
        return numbers if len(shape) < 3 else (255 * np.clip(numbers, 0, 1)).astype(np.uint8)

    panels = tuple(Panel(RNG.normal(size=shape), f"class {i}", image=explained() if image else None, **fields) for i in range(n))
    return Sheet("Gradient", "toy · logit", panels)


@pytest.mark.parametrize("image", [False, True], ids=["alone", "with what is explained"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_kind_of_map_has_a_figure_that_says_what_it_is(shape, image):
    picture = draw(sheet(shape, n=3, image=image, control=True, note="a remark"))
    text = words(picture)
    for part in ("Gradient", "toy · logit", "class 2", "· control", "a remark", "red is positive and blue"):
        assert part.lower() in text.lower(), text
    assert len(shape) == 1 or "99.5th percentile" in text
    assert picture.alt.startswith("Gradient. toy · logit. class 0")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("fill", "said"), [(0.0, "zero everywhere"), (np.nan, "NaN or infinity everywhere")], ids=["zero", "NaN"])
def test_a_map_of_nothing_says_so(shape, fill, said):
    assert said in words(draw(Sheet("Gradient", "", (Panel(np.full(shape, fill), "class 1"),))))


def test_a_map_that_is_rounding_of_its_score_is_zero_everywhere():
    tiny = 1e-12 * RNG.normal(size=(3, 8, 8))
    assert "zero everywhere" in words(draw(Sheet("LRP", "", (Panel(tiny, "class 1", score=5.0),))))
    assert "zero everywhere" not in words(draw(Sheet("LRP", "", (Panel(tiny, "class 1"),))))


def test_pixels_that_are_not_finite_are_grey_and_counted():
    values = RNG.normal(size=(1, 10, 10))
    values[0, 0] = np.nan
    picture = draw(Sheet("Gradient", "", (Panel(values, "class 1"),)))
    assert "10 % of the values are NaN or infinity, in grey" in words(picture)
    assert (pixels_of_axes(picture)[0][0] == 170).all()


def test_a_note_that_says_so_is_not_repeated():
    text = words(draw(Sheet("IG", "", (Panel(np.zeros(5), "class 1", note="the map is zero everywhere: no gradient"),))))
    assert text.count("zero everywhere") == 1


def test_the_scale_is_stated_and_signed_only_for_the_signed_sum():
    values = np.full((1, 4, 4), 2.0)
    assert "−2.0" in words(draw(Sheet("Gradient", "", (Panel(values, "class 1"),))))
    text = words(draw(Sheet("Gradient", "", (Panel(values, "class 1"),), reduction=Reduction.L2)))
    assert "−2.0" not in text
    assert "2.0" in text


def test_the_largest_bars_are_shown_and_the_rest_is_summed():
    values = np.arange(1.0, 21.0) * np.where(np.arange(20) % 2, -1, 1)
    text = words(
        draw(Sheet("IG", "", (Panel(values, "ill (1)", image=np.full(20, 0.5)),), names=tuple(f"gene {i}" for i in range(20))))
    )
    assert "gene 19 = 0.500" in text
    assert "gene 3 " not in text
    assert f"{20 - MOST_BARS} others, their sum" in text
    assert "−20" in text


def test_slices_share_one_scale_and_are_spread_evenly():
    volume = RNG.normal(size=(2, 30, 6, 6))
    picture = draw(Sheet("IG", "", (Panel(volume, "class 0"),)))
    text = words(picture)
    assert text.count("slice") == MOST_SLICES
    assert "all maps share one scale" in text
    few = draw(Sheet("IG", "", (Panel(volume[:, :3], "class 0"),)))
    assert [f"slice {k} of 3" in words(few) for k in range(3)] == [True] * 3


def test_maps_of_one_image_stand_beside_it_and_over_it():
    photograph = RNG.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    panels = tuple(Panel(RNG.normal(size=(3, 8, 8)), name) for name in ("Grad-CAM", "LRP"))
    both = pixels_of_axes(draw(Sheet("cat.png", "", panels, photograph)))
    alone = pixels_of_axes(draw(Sheet("cat.png", "", panels, photograph, overlay=False)))
    tiles = [len([each for each in shown if each.shape[:2] == (8, 8)]) for shown in (both, alone)]
    assert tiles == [5, 3]


def test_a_pixel_of_a_map_is_a_whole_number_of_dots():
    picture = draw(Sheet("Gradient", "", (Panel(RNG.normal(size=(1, 224, 224)), "class 1"),)))
    box = picture.figure.axes[0].get_position()
    width, height = picture.figure.get_size_inches() * picture.figure.dpi
    assert (box.width * width / 224) % 1 == pytest.approx(0, abs=1e-6)
    assert (box.x0 * width) % 1 == pytest.approx(0, abs=1e-6)
    assert (box.y0 * height) % 1 == pytest.approx(0, abs=1e-6)


def test_nothing_leaves_the_figure_whatever_the_names_are():
    long = "a name of a class that goes on and on " * 6
    for shape in SHAPES.values():
        image = None if len(shape) > 2 else RNG.normal(size=shape)
        picture = draw(Sheet(long, long, (Panel(RNG.normal(size=shape), long, note=long, image=image),)))
        picture.figure.canvas.draw()
        width, height = picture.figure.get_size_inches() * picture.figure.dpi
        labels = [axis.label for axes in picture.figure.axes for axis in (axes.xaxis, axes.yaxis) if axis.label.get_text()]
        for text in [*picture.figure.texts, *labels]:
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.x1 <= width, text
            assert box.y0 >= 0, text
            assert box.y1 <= height, text


def test_names_with_dollars_and_other_scripts_are_drawn_as_they_are():
    picture = draw(Sheet("cost $x$ and $", "", (Panel(np.ones(3), "大熊猫 $_2$ (388)"),)))
    assert picture.encoded().startswith(b"\x89PNG")
    assert "大熊猫 $_2$ (388)" in words(picture)


def test_maps_of_other_shapes_are_refused():
    with pytest.raises(TensorError, match=r"expected maps of a table \[f\], .* got \[1, 2, 2, 2, 2\]; draw a part of the values"):
        draw(Sheet("Gradient", "", (Panel(np.ones((1, 2, 2, 2, 2)), "class 1"),)))


def test_letters_that_no_font_has_are_named(monkeypatch):
    named = Panel(np.ones((4,)), "名 ★ é")
    monkeypatch.setattr(letters, "_font_with", {"名": "Han", "★": "DejaVu Sans"}.get)
    assert "no installed font" not in words(draw(Sheet("Gradient", "toy", (named,))))
    assert letters.fonts("名")[-1] == "Han"
    monkeypatch.setattr(letters, "_font_with", {"★": "DejaVu Sans"}.get)
    assert "no installed font has (U+540D, …)" in words(draw(Sheet("Gradient", "toy", (named,))))
