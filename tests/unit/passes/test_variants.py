"""Several variants of each image as one stream: their order, their chunks, and their outputs."""

import pytest
import torch
from torch import Tensor

from heatproof.passes.counting import count_passes
from heatproof.passes.forward import variant_outputs, variant_scores
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.removal_order import RemovalOrder, region_places
from tests.support import zoo
from tests.support.close import assert_close

PAIRS = [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_every_variant_comes_once_in_order_in_chunks_of_any_size(chunk: int) -> None:
    model, images = zoo.model(zoo.residual(), chunk=chunk), zoo.images(3)
    passed, sizes = [], []
    for image, variant, result in variants_in_chunks(model, images, [3, 0, 4], lambda i, v: (list(i), list(v)), "forward"):
        assert result == (image, variant)
        passed += zip(image, variant, strict=True)
        sizes.append(len(image))
    assert passed == PAIRS
    assert max(sizes[1:] or [1]) <= chunk


def test_no_variants_are_no_passes() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(2)
    with count_passes() as passes:
        assert not list(variant_outputs(model, images, 0, lambda i, _: images[i]))
    assert passes.forward == 0


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_variants_are_scored_as_images_of_their_own(chunk: int) -> None:
    model, images, target = zoo.model(zoo.residual(), chunk=chunk), zoo.images(3), torch.tensor([2, 0, 1])

    def darker(image: list[int], variant: list[int]) -> Tensor:
        return images[image] * (1 - torch.tensor(variant).view(-1, 1, 1, 1) / 8)

    with count_passes() as passes:
        scores = variant_scores(model, images, target, [3, 0, 4], darker)
    expected = torch.zeros(3, 4)
    for i, v in PAIRS:
        expected[i, v] = zoo.residual().eval()(images[i : i + 1] * (1 - v / 8))[0, target[i]]
    assert_close(scores, expected.detach(), 1e-5)
    assert passes.forward == len(PAIRS)


@pytest.mark.parametrize("insertion", [False, True])
def test_regions_are_treated_in_the_order_of_the_map(insertion: bool) -> None:
    relevance, images = torch.tensor([[3.0, 1.0, 2.0, 4.0]]), torch.ones(1, 4)
    draws = Draws.for_images(0, images)
    assert region_places(relevance, draws).tolist() == [[1, 3, 2, 0]]
    order = RemovalOrder(relevance, draws, (4,), ((1, 3),), ("most", "least"), insertion)
    treated = torch.tensor([[0, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0]], dtype=torch.bool)
    assert torch.equal(order.present([0] * 4, [0, 1, 2, 3]), treated == insertion)
