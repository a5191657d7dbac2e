import pytest
import torch

from heatproof.core.errors import SettingsError
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.regions import rank_regions
from tests.support import zoo


def test_regions_without_room_are_refused_with_what_to_do() -> None:
    maps = zoo.images(1, channels=1)
    with pytest.raises(SettingsError, match=r"fit into 8 × 8 pixels, got side 9; set scaled=True"):
        rank_regions(maps, Draws.for_images(0, maps), side=9, count=1)
    with pytest.raises(SettingsError, match=r"room for 5 windows of 4 × 4 pixels in 8 × 8, got \d; ask for fewer or smaller"):
        rank_regions(maps, Draws.for_images(0, maps), side=4, count=5)


def test_ties_are_broken_at_random_by_image_and_seed() -> None:
    maps = torch.ones(40, 1, 12, 12)
    images = zoo.images(40, side=12)
    first = rank_regions(maps, Draws.for_images(0, images), side=3, count=1)[:, 0]
    other = rank_regions(maps, Draws.for_images(1, images), side=3, count=1)[:, 0]
    assert len(first.unique(dim=0)) > 25
    assert not torch.equal(first, other)
    assert (first.double().mean(0) - 4.5).abs().max() < 2
