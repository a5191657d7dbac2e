import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.pictures.colors import describe, diverging, full_color, overlay, palette, shares_of


def test_zero_is_pure_white_and_the_ends_mirror_each_other_in_weight():
    colors = palette().astype(int)
    assert colors[len(colors) // 2].tolist() == [255, 255, 255]
    assert colors[-1][0] > colors[-1][2]  # positive is red
    assert colors[0][2] > colors[0][0]


def test_full_color_is_a_percentile_of_the_size():
    values = np.linspace(-1, 1, 2001).reshape(1, -1)
    assert full_color(values) == pytest.approx(np.percentile(np.abs(values), 99.5))
    assert full_color(np.zeros((2, 2))) == 0
    single = np.zeros((100, 100))
    single[3, 4] = -7
    assert full_color(single) == 7


def test_words_tell_sign_concentration_and_place():
    values = np.zeros((11, 11))
    values[0, 10] = 2.0
    assert describe(values, "Gradient, panda.jpg") == (
        "Gradient, panda.jpg: 100% of the weight is positive; the strongest tenth of the pixels holds 100% of it; "
        "its centre is at 100% from the left and 0% from the top."
    )
    assert describe(np.zeros((3, 3)), "Gradient, panda.jpg").endswith("zero everywhere.")


def test_what_is_not_finite_counts_for_no_scale_and_has_no_color():
    values = np.array([[1.0, np.nan], [np.inf, -1.0]])
    assert full_color(values) == 1
    assert full_color(np.full((2, 2), np.nan)) == 0
    assert shares_of(values, 1.0).tolist() == [[1, 0], [1, -1]]


def test_the_palette_is_that_of_a_diverging_map():
    assert (palette(16) == diverging(np.linspace(-1, 1, 33))).all()


def test_the_opacity_of_an_overlay_is_the_size_of_the_map():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    left, middle, right = overlay(image, np.array([[-1.0, 0.0, 1.0]]))[0].astype(int)
    assert middle[0] == middle[1] == middle[2]
    assert left[2] - left[0] > 100
    assert right[0] - right[2] > 100
    half = overlay(image, np.array([[0.0, 0.0, 0.5]]))[0, 2].astype(int)
    assert np.abs(half - (middle + right) / 2).max() <= 1


def test_the_ends_of_both_scales_stay_apart_for_readers_without_red_or_green():
    """By the matrices of Viénot, Brettel and Mollon 1999 for linear light, without the nonlinearity of the screen."""
    protan = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    strong = overlay(np.full((1, 2), 128, dtype=np.uint8), np.array([[-1.0, 1.0]]))[0]
    for ends in (diverging(np.array([-0.5, 0.5])), strong):
        linear = (ends / 255.0) ** 2.2
        for matrix in (protan, deutan):
            seen = linear @ matrix.T
            assert np.abs(seen[0] - seen[1]).max() > 0.2


def test_a_photograph_of_another_size_is_refused_with_the_remedy():
    with pytest.raises(TensorError, match=r"expected 3 × 2 pixels, as its map, got 4 × 4; give the square"):
        overlay(np.zeros((4, 4), dtype=np.uint8), np.zeros((2, 3)))
