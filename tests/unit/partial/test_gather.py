"""Windows put together of candidates' regions and cached activations, against slices of the full padded tensor."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from heatproof.partial import gather
from heatproof.partial.gather import CandidateGroup, Gatherer, region_cells
from heatproof.partial.interval import CellRange, rectangle_interval
from heatproof.partial.plan import ReplayMismatch
from heatproof.partial.region import PLANE, Axes, InputWindow, Region

HEIGHT, WIDTH, H, W, MARGIN = 9, 8, 3, 2, 20
corners = st.tuples(st.integers(0, HEIGHT - H), st.integers(0, WIDTH - W))
GROUPS = ((slice(0, 1), 0), (slice(1, 3), 1), (slice(3, 4), 0))
"""Four candidates of two images at three places."""


def scene(at: list[tuple[int, int]], axes: Axes = PLANE) -> tuple[list[CandidateGroup], Region, Tensor, Tensor]:
    """The groups, the region, the images `[2, 2, h, w]`, and the candidates in full `[4, 2, h, w]`."""
    images = 1 + torch.arange(2.0 * 2 * HEIGHT * WIDTH).view(2, 2, HEIGHT, WIDTH)
    data = -1 - torch.arange(4.0 * 2 * H * W).view(4, 2, H, W)
    groups = [CandidateGroup(rows, image, corner) for (rows, image), corner in zip(GROUPS, at, strict=True)]
    full = torch.empty(4, 2, HEIGHT, WIDTH)
    for rows, image, (i, j) in groups:
        full[rows] = images[image]
        full[rows, :, i : i + H, j : j + W] = data[rows]
    first_rows, first_columns = zip(*at, strict=True)
    y, x = rectangle_interval(first_rows, H, HEIGHT), rectangle_interval(first_columns, W, WIDTH)
    return groups, Region(0, y, x, axes, full, data if axes == PLANE else data.permute(0, 2, 3, 1)), images, full


shifts = st.lists(st.tuples(st.integers(-5, 6), st.integers(-5, 6)), min_size=3, max_size=3)


@pytest.mark.parametrize("strip_bytes", [0, gather.STRIP_BYTES], ids=["strips", "whole windows"])
@given(st.lists(corners, min_size=3, max_size=3), shifts, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_any_window_holds_the_values_of_the_full_tensor(
    strip_bytes: int, at: list[tuple[int, int]], shifted: list[tuple[int, int]], height: int, width: int, channels_last: bool
) -> None:
    groups, region, images, full = scene(at, Axes(-3, -2) if channels_last else PLANE)
    starts = [(i + di, j + dj) for (i, j), (di, dj) in zip(at, shifted, strict=True)]
    y, x = CellRange(tuple(i for i, _ in starts), height), CellRange(tuple(j for _, j in starts), width)
    cached = images.permute(0, 2, 3, 1) if channels_last else images
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "STRIP_BYTES", strip_bytes)
        values = Gatherer({0: list(cached)}, groups).window(InputWindow(region, y, x, fill=7.0))
    values = values.permute(0, 3, 1, 2) if channels_last else values
    padded = F.pad(full, [MARGIN] * 4, value=7.0)
    for group, (i, j) in zip(groups, starts, strict=True):
        expected = padded[group.rows, :, i + MARGIN : i + MARGIN + height, j + MARGIN : j + MARGIN + width]
        assert torch.equal(values[group.rows], expected)


def test_concatenated_windows_follow_one_another() -> None:
    groups, region, images, _ = scene([(0, 0), (2, 3), (6, 6)])
    gatherer = Gatherer({0: list(images)}, groups)
    around = InputWindow(region, CellRange((1, 1, 5), H), CellRange((0, 2, 6), W))
    same = InputWindow(region, region.y, region.x)
    assert torch.equal(gatherer.concatenated([same, around], -3), torch.cat([region.data, gatherer.window(around)], -3))


def test_a_window_that_is_the_region_is_its_data_and_needs_no_cache() -> None:
    groups, region, _, _ = scene([(0, 0), (2, 3), (6, 6)])
    assert Gatherer({}, groups).window(InputWindow(region, region.y, region.x)) is region.data


def test_a_window_around_a_tensor_that_is_not_cached_is_a_mismatch() -> None:
    groups, region, _, _ = scene([(0, 0), (2, 3), (6, 6)])
    with pytest.raises(ReplayMismatch, match="expected tensor number 0 among the cached activations"):
        Gatherer({}, groups).window(InputWindow(region, CellRange((0, 0, 0), HEIGHT), region.x))


def test_the_cells_of_a_region_are_a_view_of_the_full_tensor() -> None:
    _, region, images, _ = scene([(0, 0), (2, 3), (6, 6)])
    region_cells(images[1], region, 1)[...] = 0
    assert not images[1, :, 2 : 2 + H, 3 : 3 + W].any()
    assert images[1].ne(0).sum() == 2 * (HEIGHT * WIDTH - H * W)
