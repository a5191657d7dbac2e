import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.core.errors import DataError, UsageError
from heatproof.data import Mosaics, Photos, load, load_regions
from heatproof.models import Bounds, Model, Preprocessing
from heatproof.pipeline import confident_mosaics

TINY = Preprocessing(side=30, resize=30)
DATA = Mosaics(source=Photos(count=12), cells=3)


def test_every_labelled_image_is_explained_once_among_images_of_other_classes_in_a_cell_that_moves():
    items, source = DATA.items(), DATA.source.items()
    assert [item.label for item in items] == [item.label for item in source]
    assert len({item.digest for item in items}) == 12
    for row, item in enumerate(items):
        parts = DATA._parts(item)
        assert parts[row % 9] == source[row]
        assert len({part.label for part in parts}) == 9
    assert Mosaics(source=Photos(count=12), cells=2).items()[0].digest != items[0].digest


def test_the_region_is_the_cell_of_the_explained_image_whose_pixels_are_there():
    loaded = load(DATA, DATA.items()[:3], TINY)
    regions = load_regions(DATA, TINY.region, items=DATA.items()[:3])
    assert loaded.images.shape == (3, 3, 30, 30)
    assert regions.mean((1, 2)).tolist() == pytest.approx([1 / 9] * 3)
    own = load(DATA.source, DATA.source.items()[:3], TINY).images
    small = torch.nn.functional.interpolate(own, (10, 10), mode="bilinear", antialias=True)
    for row in range(3):
        assert torch.allclose(loaded.images[row][:, regions[row] == 1].view(3, 10, 10), small[row])
    picture, mask = DATA.open(DATA.items()[1]), DATA.region(DATA.items()[1])
    assert picture.size == mask.size == (384, 384)
    assert mask.getbbox() == (128, 0, 256, 128)


def test_too_few_classes_are_refused_with_the_remedy():
    with pytest.raises(DataError, match="mosaics: expected images of at least 4 classes in photos, got 2; give labels"):
        Mosaics(source=Photos(count=2)).items()


def colours():
    """A network that is sure of eight colours, and images of these, half of them pale."""
    corners = torch.tensor([[r, g, b] for r in (0.0, 1) for g in (0.0, 1) for b in (0.0, 1)])
    head = nn.Linear(3, 8)
    head.weight.data, head.bias.data = 20 * (2 * corners - 1), -20 * corners.sum(1)
    model = Model(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), Bounds.of(0, 1, channels=3))
    images = corners[:, :, None, None].expand(8, 3, 12, 12)
    return model, torch.cat([images, 0.5 + (images - 0.5) / 100])


def test_mosaics_without_labels_are_of_images_that_the_network_is_sure_of():
    model, images = colours()
    found = confident_mosaics(model, images, count=6, least=0.9)
    assert found.parts.max() < 8  # the pale ones are left out
    assert all(len(set(parts)) == 4 for parts in found.parts.tolist())
    assert found.target.tolist() == [int(parts[k % 4]) for k, parts in enumerate(found.parts)]
    scores = hp.score("energy_in_mask", model, found.images, found.regions[:, None].expand_as(found.images), regions=found.regions)
    assert scores.values.tolist() == [1] * 6
    assert torch.equal(confident_mosaics(model, images, count=2, least=0.9).images, found.images[:2])


def test_a_network_that_is_sure_of_nothing_is_refused():
    model, images = colours()
    with pytest.raises(UsageError, match=r"predicts with a probability of 0\.9 or more, got 0 such classes in 8 images"):
        confident_mosaics(model, images[8:], least=0.9)
