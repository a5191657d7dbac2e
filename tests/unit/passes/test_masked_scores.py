"""The stream of masked scores: masks of any form, several targets of one pass, and no more than a chunk at a time."""

import pytest
import torch
from torch import Tensor

from heatproof.passes.box_scores import box_scores
from heatproof.passes.counting import count_passes
from heatproof.passes.forward import known_outputs, raw_outputs
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Black, Fill, NoisyLinear, Reference, Uniform
from heatproof.perturb.groups import FeatureGroups, Slic
from tests.support import zoo
from tests.support.close import assert_close

FILLS: list[Fill] = [Black(), Uniform(), Reference(images=zoo.images(4, seed=9)), NoisyLinear()]


def inputs(fill: Fill, *, target: Tensor | None = None, chunk: int = 16, n: int = 3) -> MaskedInputs:
    model, images = zoo.model(zoo.smooth_conv(), chunk=chunk), zoo.images(n)
    draws = Draws.for_images(0, images)
    groups = Slic(segments=5)(images, model.bounds, draws)
    return MaskedInputs(model, images, torch.arange(n) if target is None else target, draws, fill, groups)


def stream(at: MaskedInputs, n: int = 7) -> Tensor:
    """Scores `[b, n]` of random coalitions, mask k with draw k of the fill."""
    assert at.groups is not None
    most = at.groups.most
    found = torch.zeros(len(at.images), n, *at.target.shape[1:])

    def masks(image: list[int], k: list[int]) -> Tensor:
        return at.draws.rows(image).uniform("coalitions", k, (12,))[:, :most] < 0.5

    for chunk in masked_scores(at, n, masks, lambda _, k: k):
        assert len(chunk.masks) == len(chunk.scores) == len(chunk.k) <= (at.model.chunk or 0)
        found[chunk.image, chunk.k] = chunk.scores
    return found


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.name)
def test_scores_depend_neither_on_the_chunk_nor_on_the_batch(fill: Fill) -> None:
    together = stream(inputs(fill))
    assert_close(stream(inputs(fill, chunk=2)), together, 1e-5)
    assert_close(stream(inputs(fill).rows([2, 0])), together[[2, 0]], 1e-5)


@pytest.mark.parametrize("fill", FILLS[:3], ids=lambda fill: fill.name)
def test_a_score_is_that_of_the_image_with_its_values_replaced(fill: Fill) -> None:
    at = inputs(fill)
    assert at.groups is not None
    masks = torch.tensor([[True, False, True, False, False]])
    for i in range(3):
        fills = fill(at.images[i : i + 1], at.model.bounds, at.draws.rows([i]), 4)
        keep = (at.groups.ids[i] == 0) | (at.groups.ids[i] == 2)
        expected = at.model.outputs(torch.where(keep, at.images[i : i + 1], fills))[0, i]
        assert_close(at.scores([i], masks[:, : at.groups.most], [4])[0], expected, 1e-6)


def test_one_pass_serves_several_targets() -> None:
    target = torch.tensor([[0, 3], [1, 2], [2, 1]])
    with count_passes() as passes:
        both = stream(inputs(Uniform(), target=target))
    assert passes.forward == 21
    for t in range(2):
        assert_close(both[..., t], stream(inputs(Uniform(), target=target[:, t])), 1e-6)
    assert inputs(Black(), target=target).clean().shape == inputs(Black(), target=target).absent(1).shape == (3, 2)


def test_shares_of_values_mix_image_and_fill_and_all_or_nothing_is_exact() -> None:
    at = inputs(Black())
    lower = at.model.bounds.like(at.images)[0].expand_as(at.images)
    shares = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.full((1, 8, 8), 0.25)])
    found = at.filled([0, 1, 2], shares, [0, 0, 0])
    assert torch.equal(found[0], lower[0])
    assert torch.equal(found[1], at.images[1])
    assert_close(found[2], at.images[2] / 4 + lower[2] * 3 / 4, 1e-6)
    assert found.data_ptr() != at.images.data_ptr()


def test_the_clean_score_is_free_where_it_is_known() -> None:
    at = inputs(Black())
    with known_outputs(at.model, at.images, raw_outputs(at.model, at.images)), count_passes() as passes:
        assert_close(at.clean(), at.model.outputs(at.images)[torch.arange(3), at.target].detach(), 1e-6)
    assert passes.forward == 0


def test_nothing_present_is_the_mean_over_draws_and_values_of_no_group_stay() -> None:
    at = inputs(Uniform())
    draws = [at.model.outputs(Uniform()(at.images, at.model.bounds, at.draws, k))[torch.arange(3), at.target] for k in range(2)]
    assert_close(at.absent(2), (sum(draws) / 2).detach(), 1e-6)
    kept = MaskedInputs(at.model, at.images, at.target, at.draws, Black(), FeatureGroups(_ring(), (1,) * 3))
    inner = at.images.clone()
    inner[:, :, 2:6, 2:6] = at.model.bounds.like(at.images)[0]
    assert_close(kept.absent(), at.model.outputs(inner)[torch.arange(3), at.target].detach(), 1e-6)


def _ring() -> Tensor:
    ids = torch.full((1, 1, 8, 8), -1)
    ids[..., 2:6, 2:6] = 0
    return ids.expand(3, -1, -1, -1)


def test_boxes_of_several_sizes_and_draws_are_replaced() -> None:
    at = inputs(Uniform())
    boxes = torch.tensor([[[0, 0], [3, 4]], [[5, 6], [8, 8]], [[2, 1], [3, 3]]])
    found = box_scores(at, boxes, range(1, 3))
    for d, draw in enumerate((1, 2)):
        fills = Uniform()(at.images, at.model.bounds, at.draws, draw)
        for n, ((top, left), (bottom, right)) in enumerate(boxes.tolist()):
            images = at.images.clone()
            images[:, :, top:bottom, left:right] = fills[:, :, top:bottom, left:right]
            assert_close(found[d, :, n], at.model.outputs(images)[torch.arange(3), at.target].detach(), 1e-6)


def test_a_random_fill_is_made_once_for_each_draw_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    plain = Draws.uniform
    monkeypatch.setattr(Draws, "uniform", lambda self, *rest: made.append(len(self)) or plain(self, *rest))
    at = inputs(Uniform())
    assert at.groups is not None
    at.scores([0, 0, 0, 1], torch.zeros(4, at.groups.most, dtype=torch.bool), [5, 5, 6, 5])
    assert made == [3]
