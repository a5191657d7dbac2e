"""Concept activation vectors against the primal formula, and a concept that a network uses or not."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatproof.concepts import tcav
from heatproof.concepts.tcav import _pairs, concept_vector
from heatproof.core.errors import ModelError, SettingsError, TensorError
from heatproof.models import Bounds, Model
from heatproof.models.loaders import Toy

SIDE = 8


def random_images(n: int, seed: int) -> Tensor:
    return torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def with_mark(images: Tensor) -> Tensor:
    marked = images.clone()
    marked[:, :, :2, :2] = 2.0
    return marked


def network(weight: float) -> Model:
    """One channel of the sums of 2 × 2 cells; class 1 grows with the cell of the mark by `weight`, and with another cell anyway."""
    convolution, dense = nn.Conv2d(1, 1, 2, stride=2, bias=False), nn.Linear(SIDE**2 // 4, 2, bias=False)
    with torch.no_grad():
        convolution.weight.fill_(1.0)
        dense.weight.zero_()
        dense.weight[1, 0], dense.weight[1, 9], dense.weight[0, 5] = weight, 1.0, 1.0
    return Model(nn.Sequential(convolution, nn.Flatten(), dense).eval(), Bounds.of(0.0, 2.0, channels=1))


IMAGES, CONCEPT, RANDOM = random_images(6, 0), with_mark(random_images(12, 1)), random_images(40, 2)


def test_a_vector_is_that_of_ridge_regression_in_the_space_of_activations():
    generator = torch.Generator().manual_seed(3)
    concept, random = (torch.randn(7, 4, generator=generator, dtype=torch.float64) + shift for shift in (0.5, 0))
    x, y = torch.cat([concept, random]), torch.tensor([1.0] * 7 + [-1.0] * 7, dtype=torch.float64)
    centred = x - x.mean(0)
    size = centred.square().sum(1).mean()
    primal = torch.linalg.solve(centred.T @ centred + 0.1 * size * torch.eye(4, dtype=torch.float64), centred.T @ y)
    assert torch.allclose(concept_vector(concept, random, 0.1), primal / primal.norm(), atol=1e-12)
    assert concept_vector(torch.ones(4, 3), torch.ones(4, 3), 0.1).tolist() == [0, 0, 0]


def test_a_derivative_is_that_of_the_output_if_the_layer_moves_towards_the_concept():
    """By central differences of the whole network, one image at a time, in float64."""
    model = Toy(architecture="cnn", width=0.1, side=SIDE).load()
    network_ = model.module.double()
    model, images, concept, random = model.with_(module=network_), *(each.double() for each in (IMAGES, CONCEPT[:8], RANDOM[:16]))
    found = tcav(model, images, concept, random, target=1, layer="conv2", runs=2)
    head, tail = (nn.Sequential(*part) for part in (list(network_)[:4], list(network_)[4:]))
    with torch.no_grad():
        shown, other, at = (head(each).flatten(1) for each in (concept, random, images))
        pairs = [pair for pair, _ in _pairs(shown, other, 2, 0)]
        for run, (x, y) in enumerate(pairs):
            v = concept_vector(x, y, 0.01).view(1, *head(images).shape[1:])
            ends = (tail(head(images) + sign * 1e-6 * v)[:, 1] for sign in (1, -1))
            rises = next(ends) > next(ends)
            assert found.scores[run] == rises.double().mean()
    assert len(at) == 6


@pytest.mark.parametrize(("weight", "score"), [(3.0, 1.0), (-3.0, 0.0)])
def test_a_concept_that_the_network_uses_is_told_from_random_ones_with_its_sign(weight, score):
    found = tcav(network(weight), IMAGES, CONCEPT, RANDOM, target=1)
    assert found.scores.tolist() == [score] * 40
    assert found.positive.tolist() == [score] * 6
    assert found.significant
    assert found.p_concepts == 1 / 41
    assert np.sign(found.cosine) == np.sign(weight)
    assert found.accuracies.mean() > 0.95
    assert "differs from random concepts" in str(found)


def test_neither_a_concept_that_the_network_does_not_use_nor_one_of_random_images_is_told_from_random_ones():
    unused = tcav(network(0.0), IMAGES, CONCEPT, RANDOM, target=0)
    nothing = tcav(network(3.0), IMAGES, random_images(12, 4), RANDOM, target=1)
    for found in (unused, nothing):
        assert not found.significant
        assert "is not told from random concepts" in str(found)
    assert unused.accuracies.mean() > 0.95  # it is there, and tells the class nothing
    assert nothing.accuracies.mean() < 0.8


def test_random_concepts_are_significant_no_more_often_than_the_level_says_and_by_the_published_test_far_more_often():
    model = Toy(architecture="cnn", width=0.05, side=SIDE).load()
    found = [tcav(model, IMAGES, random_images(8, k), random_images(60, k + 500), target=1, runs=25) for k in range(100, 120)]
    assert sum(each.significant for each in found) <= 3  # of 20; four or more at the level of .05 have p = .016
    assert sum(each.p < 0.05 for each in found) >= 6


def test_the_same_seed_gives_the_same_scores_and_the_network_stays_as_it_was():
    model = network(0.4)
    before = [parameter.clone() for parameter in model.module.parameters()]
    first, again, other = (tcav(model, IMAGES, CONCEPT, RANDOM, runs=5, seed=seed) for seed in (0, 0, 1))
    assert first.scores.tolist() == again.scores.tolist()
    assert (first.random_scores != other.random_scores).any()
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.module.parameters(), strict=True))


def test_what_cannot_be_tested_is_refused_with_the_remedy():
    model = network(1.0)
    with pytest.raises(TensorError, match="expected at least 4 images of the concept and 8 random ones, got 2 and 40; give more"):
        tcav(model, IMAGES, CONCEPT[:2], RANDOM)
    with pytest.raises(SettingsError, match="two runs or more and a penalty above 0, got runs=1"):
        tcav(model, IMAGES, CONCEPT, RANDOM, runs=1)
    with pytest.raises(SettingsError, match="layer"):
        tcav(model, IMAGES, CONCEPT, RANDOM, layer="none")
    function = Model.of_function(lambda x: np.zeros((len(x), 2), np.float32), Bounds.of(0.0, 2.0, channels=1), version="1")
    with pytest.raises(ModelError, match="gradient"):
        tcav(function, IMAGES, CONCEPT, RANDOM)
