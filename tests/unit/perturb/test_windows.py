"""Windows and smooth random masks against sums that are written out."""

from itertools import product

import pytest
import torch

from heatproof.core.errors import TensorError
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.soft_grid import STREAM, SoftGrid
from heatproof.perturb.masks.windows import Windows
from tests.support import zoo
from tests.support.close import assert_close

SHAPES = [((9,), 4, 3), ((5, 8), (3, 4), (2, 4)), ((3, 4, 5), 2, 1), ((6, 2), 4, 4), ((7,), 1, 1)]


@pytest.mark.parametrize(("lengths", "size", "stride"), SHAPES)
def test_each_place_gets_the_mean_over_the_windows_that_hold_it(lengths: tuple[int, ...], size: object, stride: object) -> None:
    windows = Windows.over(lengths, size, stride)
    values, inside = zoo.normal(2, windows.count, dtype=torch.float64), windows.covering(range(windows.count)).double()
    assert (inside.sum(0) > 0).all()
    share = inside / inside.flatten(1).sum(1).view(-1, *[1] * len(lengths))
    expected = torch.einsum("bn,n...->b...", values, share) / inside.sum(0)
    assert_close(windows.spread(values), expected, 1e-12)
    assert windows.disjoint == bool((inside.sum(0) == 1).all())
    if windows.disjoint:
        assert_close(windows.spread(values).flatten(1).sum(1), values.sum(1), 1e-12)


def test_there_are_784_windows_by_default_on_a_picture_of_224_pixels() -> None:
    assert Windows.over((224, 224), 15, 8).count == 784


def test_numbers_for_other_axes_are_refused() -> None:
    with pytest.raises(TensorError, match=r"one for each of the axes \[8, 8\], got \(3, 3, 3\)"):
        Windows.over((8, 8), (3, 3, 3), 1)


@pytest.mark.parametrize("lengths", [(10,), (8, 11), (2, 9)])
def test_a_soft_mask_is_a_grid_interpolated_linearly_and_shifted(lengths: tuple[int, ...]) -> None:
    s, images = 3, zoo.images(2)
    draws = Draws.for_images(5, images)
    grid = SoftGrid(lengths, cells=s, share=0.4)
    found = grid(draws, [4, 9])
    cells = [min(n, s) for n in lengths]
    numbers = draws.uniform(STREAM, [4, 9], (torch.Size(cells).numel() + len(cells),))
    for mask, row in zip(found, numbers, strict=True):
        kept = (row[: -len(cells)] < 0.4).double().view(cells)
        for place in product(*map(range, lengths)):
            expected = 0.0
            for corner in product((0, 1), repeat=len(cells)):
                weight, at = 1.0, []
                for axis, (n, y, upper) in enumerate(zip(lengths, place, corner, strict=True)):
                    size = -(-n // s) if n > s else 1
                    shift = int(row[len(row) - len(cells) + axis] * size)
                    scale = cells[axis] / ((s + 1) * size) if n > s else 1
                    position = min(max((y + shift + 0.5) * scale - 0.5, 0), cells[axis] - 1)
                    low = int(position)
                    weight *= position - low if upper else 1 - position + low
                    at.append(min(low + upper, cells[axis] - 1))
                expected += weight * float(kept[tuple(at)])
            assert abs(float(mask[place]) - expected) < 1e-5


def test_soft_masks_belong_to_the_image_and_keep_their_share() -> None:
    images = zoo.images(3)
    grid, draws = SoftGrid((8, 8), cells=3, share=0.3), Draws.for_images(0, images)
    assert torch.equal(grid(draws, [5, 6, 7])[1:2], grid(draws.rows([1]), [6]))
    many = grid(draws.rows([0] * 2000), range(2000))
    assert (many.mean(0) - 0.3).abs().max() < 5 * 0.46 / 2000**0.5
