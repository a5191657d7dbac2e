"""Scores of changed images, relative to the clean one: of a class, and of a quantity."""

import pytest
import torch
from torch import nn

from heatproof.metrics import PixelFlipping, SymmetricRelevanceGain
from heatproof.models import Bounds, Model, Regression

WEIGHTS = torch.tensor([3.0, -1.0, 0.5, 0.0])
IMAGE = torch.ones(1, 1, 1, 4)
EFFECTS = (WEIGHTS * IMAGE.flatten()).view_as(IMAGE)


def linear(constant: float) -> Model:
    """3 a − b + c / 2 + constant, of four pixels that are all 1."""
    layer = nn.Linear(4, 1)
    layer.weight.data, layer.bias.data = WEIGHTS[None].clone(), torch.tensor([constant])
    return Model(nn.Sequential(nn.Flatten(), layer), Bounds.of(0, 1, channels=1), output=Regression())


@pytest.mark.parametrize("constant", [0.0, -2.5, 40.0])
def test_of_a_quantity_a_curve_is_the_change_by_hand(constant):
    # the true effects are removed in the order 3, .5, 0, −1, so that the output changes by −3, −3.5, −3.5, −2.5
    found = PixelFlipping(steps=4).score(linear(constant), IMAGE, None, EFFECTS)
    assert found.curve[0].tolist() == pytest.approx([0, -3, -3.5, -3.5, -2.5])
    assert found.values.item() == pytest.approx((-3 - 3.5 - 3.5 - 2.5 / 2) / 4)
    assert found.notes == ("",)


def test_by_magnitude_a_quantity_counts_by_the_size_of_its_change():
    # in the order 3, −1, .5, 0 it changes by −3, −2, −2.5, −2.5; in reverse by 0, −.5, .5, −2.5
    metric = SymmetricRelevanceGain(groups=None, share=1.0, fill={"name": "zero"}, ranking="absolute", steps=4)
    found = metric.score(linear(7.0), IMAGE, None, EFFECTS)
    most, least = (3 + 2 + 2.5 + 2.5 / 2) / 4, (0 + 0.5 + 0.5 + 2.5 / 2) / 4
    assert found.components["most"].item() == pytest.approx(-most)
    assert found.components["least"].item() == pytest.approx(-least)
    assert found.values.item() == pytest.approx(most - least)
