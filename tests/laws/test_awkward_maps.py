"""The law of awkward maps: on sparse, constant, one-row and tiny maps a score is right, missing with a reason, or refused by name.

No divisor is without its zero case: a metric that is declared invariant to the scale of the map is so on all of them.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError
from heatproof.methods import Attribution, Gradient
from heatproof.metrics import (
    DataRandomisation,
    ExplainerMetric,
    MapMetric,
    Metric,
    ModelMetric,
    PerturbationCurve,
    PixelFlipping,
    RandomLogit,
    ReferenceMetric,
    RegionMetric,
    Scores,
    TruthMetric,
)
from heatproof.metrics.comparison import Similarity
from heatproof.models import Bounds, Model
from heatproof.models.outputs import Probability
from tests.laws.cases import METRICS, suited
from tests.support import zoo
from tests.support.close import assert_close

SIZES = [(40, 40), (1, 60), (60, 1), (2, 2), (1, 1)]
FACTORS = [2.0**-20, 2.0**20]
DEFAULTS = [
    pytest.param(next(iter(variants.values())), id=family.name)
    for family, variants in METRICS.items()
    if family is not DataRandomisation  # the other network takes images of one size
]
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def awkward(h: int, w: int) -> Tensor:
    """One map of each kind, `[b, 3, h, w]`."""
    noise, sparse, pixel = zoo.normal(3, h, w, seed=1), zoo.normal(3, h, w, seed=2), torch.zeros(3, h, w)
    sparse[:, torch.arange(h * w).view(h, w) % 150 != 7 % (h * w)] = 0
    pixel[1, h // 2, w // 3] = -1
    return torch.stack([noise, sparse, pixel, torch.zeros(3, h, w), torch.full((3, h, w), 0.3), noise.sign(), -noise.abs()])


def model() -> Model:
    return zoo.model(zoo.Raised(zoo.residual(), by=20.0))


def scored(metric: Metric, maps: Tensor) -> Scores:
    images = zoo.normal(*maps.shape, seed=4)
    region = torch.zeros_like(maps[:, 0])
    region[:, : (maps.shape[2] + 1) // 2, : (maps.shape[3] + 1) // 2] = 1
    metric = suited(metric, model(), images)
    if isinstance(metric, MapMetric):
        return metric.score(maps)
    if isinstance(metric, RegionMetric):
        return metric.score(maps, region)
    if isinstance(metric, ReferenceMetric):
        return metric.score(maps, maps.roll(1, 0))
    if isinstance(metric, ModelMetric):
        return metric.score(model(), images, 0, maps)
    assert isinstance(metric, ExplainerMetric)

    def explain(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        found = Gradient().attribute(other or model(), at, target, seed=seed)
        return replace(found, values=maps if other is None else maps.flip(1))

    known = {"regions": region, "scenes": images.flip(-1)} if isinstance(metric, TruthMetric) else {}
    return metric.score(model(), images, 0, explain, **known)


def or_refusal(compute: Callable[[], Any]) -> Any:
    """What is computed, or the words of the error."""
    try:
        return compute()
    except HeatproofError as error:
        return str(error)


@sizes
@pytest.mark.parametrize("metric", DEFAULTS)
def test_a_score_is_finite_or_missing_with_a_reason_or_refused_by_name(metric: Metric, size: tuple[int, int]) -> None:
    maps = awkward(*size)
    found = or_refusal(lambda: scored(metric, maps))
    if isinstance(found, str):
        assert re.search("expected .*got ", found)
        assert size != (40, 40), f"maps of an ordinary size are refused: {found}"
        return
    lower, upper = metric.bounds
    for value, note in zip(found.values.tolist(), found.notes, strict=True):
        assert (lower <= value <= upper) != bool(note), (value, note)
    if metric.scale_invariant and not isinstance(metric, ExplainerMetric):
        for factor in FACTORS:
            again = scored(metric, maps * factor)
            assert_close(again.values, found.values, 1e-4)
            assert again.notes == found.notes


@sizes
@pytest.mark.parametrize("entries", ["signed", "absolute"])
@pytest.mark.parametrize("similarity", Similarity.__args__)
def test_a_similarity_does_not_depend_on_the_scale(similarity: Any, entries: Any, size: tuple[int, int]) -> None:
    metric, maps = RandomLogit(similarity=similarity, entries=entries), awkward(*size)
    others = maps.roll(1, 0)
    found = or_refusal(lambda: metric.compare(maps, others))
    if isinstance(found, str):
        assert size != (40, 40)
        return
    assert not (found.abs() > 1).any()
    for factor in FACTORS:
        assert_close(metric.compare(maps * factor, others * factor), found, 1e-4)


def sparse_pair() -> tuple[Tensor, Tensor]:
    """Two maps of which one pixel in 200 is not zero, and none in common."""
    values, places = zoo.normal(2, 8, seed=3), [range(7, 40 * 40, 200), range(90, 40 * 40, 200)]
    maps = torch.zeros(2, 1, 1, 40, 40)
    for each, value, place in zip(maps, values, places, strict=True):
        each.view(-1)[list(place)] = value
    return maps[0], maps[1]


@pytest.mark.parametrize("factor", [1e3, 1.0, 1e-4])
def test_ssim_of_sparse_maps_is_that_of_maps_scaled_by_their_maximum(factor: float) -> None:
    a, b = sparse_pair()
    x, y = ((m / m.abs().max())[0, 0].double().numpy() for m in (a, b))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    signed = structural_similarity(x, y, data_range=2, **settings)
    absolute = structural_similarity(abs(x), abs(y), data_range=1, **settings)
    for entries, expected in (("signed", signed), ("absolute", absolute)):
        found = RandomLogit(similarity="ssim", entries=entries).compare(a * factor, b * factor)
        assert found.item() == pytest.approx(float(expected), abs=1e-4)


class Level(nn.Module):
    """f_0 = `by` + the mean of the image, f_1 = −f_0."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x: Tensor) -> Tensor:
        score = self.by + x.mean((1, 2, 3))
        return torch.stack([score, -score], 1)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (9.0, ""),
        (0.0, ""),
        (-0.95, "the clean score is small"),
        (-1.0, "the clean score is zero"),
        (-9.0, "the clean score is negative"),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [PerturbationCurve(side=3, regions=4, fill="black"), PixelFlipping(steps=4), PixelFlipping(steps=4, mode="insertion")],
    ids=["perturbation_curve", "deletion", "insertion"],
)
def test_scores_are_relative_to_a_clean_score_that_is_positive_and_not_near_zero(
    metric: ModelMetric, by: float, reason: str
) -> None:
    """The images are ones and the fill is zero, so that replacing a whole image changes its score by 1."""
    images, network = torch.ones(2, 1, 12, 12), Model(Level(by), Bounds.of(0, 1, channels=1))
    found = metric.score(network, images, 0, zoo.images(2, channels=1, side=12))
    assert found.values.isnan().all() == bool(reason)
    assert all(note.startswith(reason) and bool(note) == bool(reason) for note in found.notes)
    if by == 0:
        assert found.values.max() < len(found.curve[0])
    as_probability = metric.model_copy(update={"output": Probability()})
    assert as_probability.score(network, images, 0, images).values.isfinite().all()
