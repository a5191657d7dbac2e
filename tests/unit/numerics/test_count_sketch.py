"""Lengths are told from sketches."""

import torch

from heatproof.numerics.count_sketch import LENGTH, count_sketch
from tests.support import zoo
from tests.support.close import assert_close


def test_short_vectors_are_their_own_sketch() -> None:
    rows = zoo.normal(3, LENGTH)
    assert torch.equal(count_sketch(rows), rows)


def test_a_sketch_is_linear_and_the_same_each_time() -> None:
    a, b = zoo.normal(2, 1, 5000, dtype=torch.float64)
    assert_close(count_sketch(2 * a - 3 * b), 2 * count_sketch(a) - 3 * count_sketch(b), 1e-12)
    assert count_sketch(a).shape == (1, LENGTH)


def test_lengths_are_kept_as_closely_as_stated() -> None:
    rows = zoo.normal(400, 20_000, dtype=torch.float64)
    ratios = count_sketch(rows).square().sum(1) / rows.square().sum(1)
    assert abs(ratios.mean().item() - 1) < 0.01
    assert ratios.std().item() < 1.1 * (2 / LENGTH) ** 0.5


def test_neighbouring_pixels_do_not_meet() -> None:
    """A patch of an image of equal values keeps its length but for those few rows that fall on each other."""
    image = torch.zeros(1, 3, 224, 224, dtype=torch.float64)
    image[:, :, 50:70, 80:100] = 1
    assert abs(count_sketch(image.flatten(1)).square().sum().item() / image.sum().item() - 1) < 0.3
