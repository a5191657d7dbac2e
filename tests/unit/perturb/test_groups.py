"""Feature groups: every division gives each image consecutive integers, whatever the data, and what is wrong is refused."""

import pytest
import torch
from torch import Tensor

from heatproof.core.errors import SettingsError, TensorError
from heatproof.core.settings import exports
from heatproof.models import Bounds
from heatproof.perturb.draws import Draws
from heatproof.perturb.groups import (
    FeatureGroups,
    Felzenszwalb,
    GivenGroups,
    Groups,
    Patches,
    Pixels,
    Quickshift,
    RegularGrid,
    Slic,
)
from tests.support import zoo
from tests.support.close import assert_close

GROUPS = {
    "felzenszwalb": Felzenszwalb(scale=10, least_size=4),
    "given_groups": GivenGroups(ids=torch.arange(64).view(1, 8, 8) // 24),
    "patches": Patches(side=3),
    "pixels": Pixels(),
    "quickshift": Quickshift(kernel_size=1, max_distance=3),
    "regular_grid": RegularGrid(cells_per_axis=3),
    "slic": Slic(segments=6),
}
EVERYWHERE = ("patches", "pixels", "regular_grid")


def divide(groups: Groups, images: Tensor) -> FeatureGroups:
    bounds = Bounds.of(-4, 4, images.shape[1])
    return groups(images, bounds, Draws.for_images(0, images))


def test_every_exported_division_is_tried_here() -> None:
    assert set(GROUPS) == set(exports(Groups))


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_consecutive_integers_that_depend_on_the_image_alone(name: str, channels: int) -> None:
    images = zoo.images(3, channels=channels)
    found = divide(GROUPS[name], images)
    assert found.ids.shape == (3, 1, 8, 8)
    for ids, count in zip(found.ids, found.counts, strict=True):
        assert ids.unique().tolist() == list(range(count))
    assert torch.equal(divide(GROUPS[name], images[1:2]).ids, found.ids[1:2])
    assert found.counts[0] > 1


@pytest.mark.parametrize("name", EVERYWHERE)
def test_tables_signals_and_volumes_are_divided_too(name: str) -> None:
    groups = GROUPS[name]
    table, signals, volumes = zoo.table(2), zoo.signals(2), zoo.normal(2, 2, 4, 4, 4)
    assert divide(groups, table).ids[1].tolist() == list(range(7))
    for data in (table, signals, volumes):
        found = divide(groups, data)
        assert found.counts == (groups.count(tuple(data.shape[1:])),) * 2
    each = type(groups)(**{**dict(groups), "channels": "each"})
    assert divide(each, signals).counts[0] == 2 * divide(groups, signals).counts[0]


def test_the_cells_of_a_grid_differ_by_one_place_at_most() -> None:
    assert RegularGrid(cells_per_axis=4).cells(10).bincount().tolist() == [3, 2, 3, 2]
    assert RegularGrid(cells_per_axis=4).cells(3).tolist() == [0, 1, 2]


def test_a_map_of_effects_sums_to_them_and_is_even_within_a_group() -> None:
    found, effects = divide(GROUPS["slic"], zoo.images(2)), zoo.normal(2, 9)
    effects = effects[:, : found.most]
    maps = found.shared(effects, channels=3)
    for i, count in enumerate(found.counts):
        for group in range(count):
            values = maps[i, found.ids[i].expand(3, -1, -1) == group]
            assert_close(values, effects[i, group].expand_as(values) / len(values), 1e-6)


def test_presence_of_groups_is_presence_of_their_values_and_no_group_is_always_present() -> None:
    ids = torch.tensor([[[0, 0, 1, -1]], [[1, 0, 0, 2]]])
    groups = FeatureGroups(ids, (2, 3))
    masks = torch.tensor([[True, False, False], [False, True, True], [False, False, True]])
    assert groups.present([0, 1, 1], masks).long().tolist() == [[[1, 1, 0, 1]], [[1, 0, 0, 1]], [[0, 0, 0, 1]]]
    assert groups.shared(torch.ones(2, 3), 1)[0, 0, 3] == 0
    assert groups.rows([1]).counts == (3,)


def test_boxes_are_seen_where_all_groups_are_rectangles() -> None:
    images = zoo.images(2)
    boxes = divide(Patches(side=5), images).boxes
    assert boxes is not None
    assert boxes.tolist() == [[[0, 0], [5, 5]], [[0, 5], [5, 8]], [[5, 0], [8, 5]], [[5, 5], [8, 8]]]
    corner = torch.zeros(1, 8, 8, dtype=torch.long)
    corner[0, 3:, 3:] = 1
    assert divide(GivenGroups(ids=corner), images).boxes is None
    assert divide(Patches(side=5, channels="each"), images).boxes is None


def test_given_integers_may_be_any_and_belong_to_their_images() -> None:
    images = zoo.images(2)
    ids = torch.stack([torch.arange(64).view(1, 8, 8) // 32 * 7, torch.full((1, 8, 8), 5)])
    groups = GivenGroups(ids=ids, images=images)
    assert divide(groups, images.flip(0)).counts == (1, 2)
    assert Groups.from_dict(groups.to_dict()) == groups
    with pytest.raises(TensorError, match="expected one of the 2 images that groups were given for, got another image"):
        divide(groups, zoo.images(1, seed=4))


MASKS = torch.tensor([[True, True, False], [False, True, False], [False, False, False]])
WRONG = {
    "overlap": (lambda: GivenGroups.of_masks(MASKS[:2]), TensorError, "got 1 values in several of the groups 0, 1"),
    "empty": (lambda: GivenGroups.of_masks(MASKS[[0, 2]]), TensorError, "got none in group 1; leave it out"),
    "numbers": (lambda: GivenGroups.of_masks(torch.rand(2, 3)), TensorError, "expected truth values.*got float32"),
    "fractions": (lambda: GivenGroups(ids=torch.rand(1, 8, 8)), SettingsError, "ids: expected integers, got float32"),
    "number": (lambda: GivenGroups(ids=torch.zeros(1, 8, 8).long(), images=zoo.images(2)), SettingsError, "each of the 2 images"),
    "shape": (lambda: divide(GivenGroups(ids=torch.zeros(1, 4, 8).long()), zoo.images(1)), TensorError, r"got \[1, 4, 8\]"),
    "none": (lambda: divide(GivenGroups(ids=-torch.ones(1, 8, 8).long()), zoo.images(1)), TensorError, "got none"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name: str) -> None:
    call, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        call()
