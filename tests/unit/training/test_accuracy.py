import numpy as np
import pytest
import torch
from torch import nn

from heatproof.core.errors import DataError, ImageRefused, ModelError
from heatproof.data import Arrays
from heatproof.models import Model, Preprocessing
from heatproof.training import accuracy

PREPROCESSING = Preprocessing(side=8, resize=8, mean=(0.0,), std=(1.0,))
N = 1030
"""More than are held in memory at a time."""


class Brightness(nn.Module):
    """Class 1 where the mean is above one half."""

    def forward(self, x):
        mean = x.flatten(1).mean(1)
        return torch.stack([1 - mean, mean], dim=1)


@pytest.fixture
def data(tmp_path):
    """Black and white squares in turns; every fifth has the wrong label."""
    bright = np.arange(N) % 2
    images = np.broadcast_to((255 * bright).astype(np.uint8)[:, None, None], (N, 8, 8))
    path = tmp_path / "x.npz"
    np.savez(path, X_test=images, y_test=np.where(np.arange(N) % 5 == 0, 1 - bright, bright))
    return Arrays(path=path, classes="")


def model(**fields):
    return Model(Brightness().train(), PREPROCESSING.bounds, **{"preprocessing": PREPROCESSING, **fields})


def test_it_is_the_share_whose_first_choice_is_the_label(data):
    brightness = model()
    assert accuracy(brightness, data) == pytest.approx(0.8)
    assert accuracy(brightness, data.model_copy(update={"count": 3})) == pytest.approx(2 / 3)
    assert brightness.module.training  # the caller's, left as it was


def test_images_without_labels_and_models_without_preprocessing_are_refused(data):
    with pytest.raises(DataError, match="expected a label for every image, test 0 has none"):
        accuracy(model(), data.model_copy(update={"labels": ""}))
    with pytest.raises(ModelError, match="expected a model with `preprocessing`"):
        accuracy(model(preprocessing=None), data)


def test_an_image_that_cannot_be_used_ends_it(data, monkeypatch):
    def refuse(*_):
        raise ImageRefused("test 0", "damaged")

    monkeypatch.setattr(Arrays, "open", refuse)
    with pytest.raises(ImageRefused, match="damaged"):
        accuracy(model(), data)
