"""The network that estimates ages."""

import pytest
import torch

from heatproof.models.loaders import TinyXception, load_model

MODEL = TinyXception().load()


def ages(pixels: torch.Tensor) -> list[float]:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MODEL.preprocessing.mean, MODEL.preprocessing.std))
    return MODEL.module((pixels - mean) / std)[:, 0].tolist()


def test_black_and_grey_have_the_ages_that_the_published_file_gives():
    flat = torch.tensor([0.0, 0.5]).view(2, 1, 1, 1).expand(2, 3, 112, 112)
    assert ages(flat) == pytest.approx([16.7478, 15.3240], abs=1e-3)


def test_what_it_explains_is_a_quantity_without_classes():
    model = load_model("tiny_xception")
    assert (model.output_label, model.class_names, model.preprocessing.side) == ("regression", (), 112)
    assert sum(p.numel() for p in model.module.parameters()) == 420_705
    assert not model.module.training


def test_of_the_faces_it_tells_young_from_old():
    from heatproof.data import Faces

    faces = Faces(count=13)
    found = MODEL.module(torch.stack([MODEL.preprocessing(faces.open(item)) for item in faces.items()]))[:, 0]
    assert found.min() < 30 < 60 < found.max()
