"""Maps of images that are changed more and more: each change in closed form, and what the metric says of it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.methods import EdgeMap, Gradient, InputXGradient, IntegratedGradients, Method, RandomMap
from heatproof.metrics import Scores, SimilarityUnderChange
from heatproof.metrics.explain import bound
from heatproof.models import Model
from heatproof.numerics.similarity import cosine, kendall
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.changes import AddedNoise, Change, ChangeContext, Masking
from heatproof.perturb.fills import Black, Zero
from tests.support import zoo
from tests.support.close import assert_close

MODEL = zoo.model(zoo.residual())
IMAGES = zoo.images(3, side=12)
TARGET = torch.zeros(3, dtype=torch.long)


def changed(change: Change, *levels: float, images: Tensor = IMAGES, method: Method | None = None, seed: int = 0) -> list[Tensor]:
    def explain(at: Tensor) -> Tensor:
        return (method or InputXGradient()).attribute(MODEL, at, TARGET[: len(at)]).values

    return change(ChangeContext(images, MODEL.bounds, TARGET[: len(images)], MODEL, explain, seed), levels)


def score(metric: SimilarityUnderChange, method: Method, model: Model = MODEL, images: Tensor = IMAGES) -> Scores:
    return metric.score(model, images, 0, bound(method, model))


# --- noise -----------------------------------------------------------------------------------------------------------------


def test_a_level_is_a_share_of_the_legal_range_and_more_is_more_of_the_same() -> None:
    lower, upper = MODEL.bounds.like(IMAGES)
    small, large = ((at - IMAGES) / (upper - lower) for at in changed(AddedNoise(), 0.1, 0.4))
    assert_close(4 * small, large, 1e-5)
    assert large.abs().max() <= 0.4
    assert abs(large.mean().item()) < 0.02
    fresh = changed(AddedNoise(independent=True), 0.1, 0.1)
    assert not torch.equal(fresh[0], fresh[1])


def test_one_sided_noise_makes_the_image_brighter_by_half_the_level() -> None:
    images = zoo.images(3, side=60)
    lower, upper = MODEL.bounds.like(images)
    noise = (changed(AddedNoise(distribution="one_sided_uniform"), 0.3, images=images)[0] - images) / (upper - lower)
    assert noise.min() >= -1e-6
    assert noise.max() <= 0.3 + 1e-6
    assert noise.mean().item() == pytest.approx(0.15, abs=0.003)


def test_gaussian_noise_has_the_level_for_deviation_and_clipped_images_are_legal() -> None:
    images = zoo.images(3, side=60)
    lower, upper = MODEL.bounds.like(images)
    noise = (changed(AddedNoise(distribution="gaussian"), 0.2, images=images)[0] - images) / (upper - lower)
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    clipped = changed(AddedNoise(distribution="gaussian", clip=True), 2.0)[0]
    assert ((clipped >= lower) & (clipped <= upper)).all()


# --- masking ---------------------------------------------------------------------------------------------------------------


def test_the_most_important_share_of_the_pixels_is_replaced() -> None:
    importance = InputXGradient().attribute(MODEL, IMAGES, TARGET).values.abs().mean(1)
    for share, at in zip((0.1, 0.5, 1.0), changed(Masking(fill=Black()), 0.1, 0.5, 1.0), strict=True):
        gone = (at != IMAGES).any(1)
        assert (gone.flatten(1).sum(1) == int(share * 144)).all()
        for image, where in zip(importance, gone, strict=True):
            assert where.all() or image[where].min() >= image[~where].max()
        lower = MODEL.bounds.like(IMAGES)[0].expand_as(at)
        assert torch.equal(at[gone[:, None].expand_as(at)], lower[gone[:, None].expand_as(at)])


def test_least_first_leaves_what_most_first_takes() -> None:
    most, least = (changed(Masking(order=order), 0.25)[0] != IMAGES for order in ("most", "least"))
    assert not (most & least).any()


def test_one_channel_alone_and_one_upon_the_other() -> None:
    alone = changed(Masking(channel=1), 0.5)[0]
    assert torch.equal(alone[:, [0, 2]], IMAGES[:, [0, 2]])
    first, second = changed(Masking(cumulative=True), 0.2, 0.3)
    taken = (first != IMAGES).any(1)
    assert ((second != IMAGES).any(1) | ~taken).all(), "what is gone stays gone"
    again = changed(Masking(), 0.3, images=first)[0]
    assert torch.equal(second, again), "the order of the second level is that of the image the first one left"


@pytest.mark.parametrize(
    ("change", "level", "message"),
    [(Masking(), 1.5, "shares of the pixels"), (Masking(channel=3), 0.5, "a channel below 3")],
    ids=["more than all", "no such channel"],
)
def test_impossible_masks_are_refused(change: Change, level: float, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        changed(change, level)


@pytest.mark.parametrize("levels", [[], [0.2, 0.1], [-0.1, 0.1]], ids=["none", "falling", "negative"])
def test_levels_must_increase(levels: list[float]) -> None:
    with pytest.raises(SettingsError, match="levels"):
        SimilarityUnderChange(levels=levels)


# --- the metric ------------------------------------------------------------------------------------------------------------


def test_every_point_is_the_similarity_to_the_map_of_the_clean_image() -> None:
    found = score(SimilarityUnderChange(similarity="cosine", channels="each", levels=(0.1, 0.4)), Gradient())
    clean, *others = (Gradient().attribute(MODEL, at, TARGET).values for at in (IMAGES, *changed(AddedNoise(), 0.1, 0.4)))
    assert found.curve is not None
    assert_close(found.curve, torch.stack([cosine(clean, other) for other in others], 1), 1e-6)
    assert_close(found.values, found.curve.mean(1), 1e-6)


def test_a_linear_network_has_one_gradient_everywhere_and_noise_repeats_nowhere() -> None:
    linear = zoo.model(zoo.Linear((3, 12, 12)))
    for change in (AddedNoise(), Masking()):
        metric = SimilarityUnderChange(change=change, levels=(0.2, 0.9))
        assert_close(score(metric, Gradient(), linear).values, torch.ones(3), 1e-6)
        assert score(metric, RandomMap(), linear).values.abs().max() < 0.15


def test_masking_with_the_baseline_ties_what_was_masked_and_another_fill_does_not() -> None:
    """Where zeros are put, integrated gradients from zero are zero: the confound that the fill decides."""
    method = IntegratedGradients(baseline=Zero())
    zeros, black = (changed(Masking(fill=fill), 0.5, method=method)[0] for fill in (Zero(), Black()))
    after = [method.attribute(MODEL, at, TARGET).values[(at != IMAGES).any(1, keepdim=True).expand_as(at)] for at in (zeros, black)]
    assert torch.count_nonzero(after[0]) == 0
    assert torch.count_nonzero(after[1]) == len(after[1])


def test_levels_that_leave_no_map_are_left_out_and_counted() -> None:
    method = IntegratedGradients(baseline=Zero())
    found = score(SimilarityUnderChange(change=Masking(), levels=(0.5, 1.0)), method)
    assert found.curve is not None
    assert found.curve[:, 1].isnan().all(), "an image of zeros has a map of zeros"
    assert torch.equal(found.values, found.curve[:, 0])
    assert torch.equal(found.components["scored"], torch.full((3,), 0.5))


def test_the_share_of_levels_with_the_clean_answer_is_told() -> None:
    found = score(SimilarityUnderChange(levels=(0.001, 5.0)), EdgeMap())
    images = (IMAGES, *changed(AddedNoise(), 0.001, 5.0))
    clean, *others = (raw_outputs(MODEL, at).argmax(1) for at in images)
    assert_close(found.components["answer"], torch.stack([other == clean for other in others], 1).float().mean(1), 1e-6)


def test_cosine_and_kendall_of_normal_entries_lie_on_greiners_curve() -> None:
    rho, n = 0.6, 20_000
    a = zoo.normal(1, 1, 1, n, dtype=torch.float64)
    b = rho * a + (1 - rho**2) ** 0.5 * zoo.normal(1, 1, 1, n, seed=1, dtype=torch.float64)
    assert kendall(a, b).item() == pytest.approx(2 / np.pi * np.arcsin(cosine(a, b).item()), abs=0.01)
