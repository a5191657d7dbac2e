"""Every metric scores tables, signals and volumes by the laws that hold for images, or refuses them by name."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.methods import Attribution, IntegratedGradients, RandomMap
from heatproof.metrics import (
    ExplainerMetric,
    MapMetric,
    Metric,
    ModelMetric,
    OutOfDistribution,
    ReferenceMetric,
    RegionMetric,
    Scores,
    SymmetricRelevanceGain,
)
from heatproof.metrics.explain import bound
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.perturb.draws import drawn_as
from heatproof.perturb.fills import Black, White
from tests.laws import known_pairs
from tests.laws.cases import METRICS, every
from tests.laws.other_data import KINDS, FirstPlace, refused_by, sized
from tests.laws.test_metrics import FLOAT32, LESS_EXACT, asked, assert_same_scores, better, regions, row_of, rows_of, score
from tests.support import zoo
from tests.support.close import assert_close

FIRST = {metric: not index for cases in METRICS.values() for index, metric in enumerate(cases.values())}
"""Which settings stand for their metric where one will do."""


def cases(*, first: bool = False, refused: bool = False) -> Any:
    """Each metric with each kind of data that it takes, or refuses; on volumes, the first settings alone."""
    return pytest.mark.parametrize(
        ("metric", "name"),
        [
            pytest.param(*case.values, name, id=f"{case.id}, {name}")
            for case in every(METRICS)
            for name, kind in KINDS.items()
            if (FIRST[case.values[0]] or not (first or name == "volume"))
            and bool(refused_by(case.values[0], kind.rows(1))) == refused
        ],
    )


@cases(refused=True)
def test_other_data_are_refused_by_the_name_of_what_needs_images_or_places(metric: Metric, name: str) -> None:
    rows = KINDS[name].rows(3)
    with pytest.raises(TensorError, match=rf"^{refused_by(metric, rows)}: expected images .*got \[3, .*; for tables ") as refusal:
        score(sized(metric, name, rows), KINDS[name].model(), rows, 0, rows)
    assert "\n" not in str(refusal.value)


@cases()
def test_other_data_are_scored_each_row_by_itself_and_a_broken_map_spares_its_batch_mates(metric: Metric, name: str) -> None:
    rows, values, target = KINDS[name].rows(3), KINDS[name].rows(3, seed=1), torch.tensor([0, 1, 2])
    metric, model = sized(metric, name, rows), KINDS[name].model()
    together = score(metric, model, rows, target, values)
    assert together.values.isfinite().all()
    assert ((metric.bounds[0] <= together.values) & (together.values <= metric.bounds[1])).all()
    assert set(together.components) == set(metric.component_meanings)
    order = [2, 0]
    permuted = score(metric, model, rows[order], target[order], values[order])
    assert_same_scores(permuted, rows_of(together, order), 1e-4 if isinstance(metric, LESS_EXACT) else FLOAT32)

    values.flatten(1)[1, 4] = torch.nan
    if isinstance(metric, ExplainerMetric):
        found = metric.score(model, rows, target, broken_method(metric, model))
    else:
        found = score(metric, model, rows, target, values)
    assert found.values.isnan().tolist() == [False, True, False]
    assert "NaN or infinity" in found.notes[1]
    assert_same_scores(rows_of(found, [0, 2]), rows_of(together, [0, 2]))


def broken_method(metric: Metric, model: Model) -> Any:
    """The method of the metric, whose map of the second of three rows holds NaN."""

    def explain(images: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        found = asked(metric).attribute(other or model, images, target, seed=seed)
        values = found.values.clone()
        if len(values) == 3:
            values.flatten(1)[1, 4] = torch.nan
        return replace(found, values=values)

    return explain


@cases(first=True)
def test_the_better_map_or_method_of_other_data_scores_better(metric: Metric, name: str) -> None:
    first, second = pair_of_scores(metric, name)
    assert better(metric, first, second).all()


def pair_of_scores(metric: Metric, name: str) -> tuple[Tensor, Tensor]:
    """The scores of the better and of the worse one of a known pair."""
    kind, rows = KINDS[name], KINDS[name].rows(3)
    truth = kind.truth(3)
    bright = 1.5 * truth - 0.75 + rows / 10
    if isinstance(metric, MapMetric):
        pair = row_of(known_pairs.MAPS, metric)
        shape = {"table": (60,), "signal": (1, 60), "volume": (1, 9, 9, 9)}[name]
        return metric.score(pair.better(shape)).values, metric.score(pair.worse(shape)).values
    metric = sized(metric, name, bright)
    if isinstance(metric, RegionMetric):
        region = regions(rows)
        constant = metric.score(torch.ones_like(rows), region)
        assert_close(constant.values, constant.components["chance"], FLOAT32)
        own = region.float()[:, None] if rows.ndim > 2 else region.float()
        return metric.score(own, region).values, constant.values
    if isinstance(metric, ReferenceMetric):
        reference = kind.rows(3, seed=4)
        return metric.score(2 * reference, reference).values, metric.score(kind.rows(3, seed=5), reference).values
    if isinstance(metric, OutOfDistribution):
        removals = [SymmetricRelevanceGain(share=1.0, fill=fill, draws=None) for fill in (metric.references, White())]
        first, second = (metric.model_copy(update={"removal": each}).score(kind.model(), rows, 0, rows).values for each in removals)
        return first, second
    if isinstance(metric, ModelMetric):
        model = kind.model(FirstPlace())
        if getattr(metric, "draws", None) == 1:  # one random value in place of a column may raise the score by chance
            metric = type(metric)(**dict(metric) | {"fill": Black()})
        random = [RandomMap().attribute(model, bright, 0, seed=seed).values for seed in range(4)]
        worse = torch.stack([metric.score(model, bright, 0, values).values for values in random]).mean(0)
        return metric.score(model, bright, 0, truth).values, worse
    pair = row_of(known_pairs.METHODS, metric)
    model = zoo.model(pair.network(kind.shape), channels=kind.shape[0]) if pair.network else kind.model()
    scored = [metric.score(model, rows, 0, bound(method, model)) for method in (pair.better, pair.worse)]
    return scored[0].values, scored[1].values


@pytest.mark.parametrize("metric", [case for case in every(METRICS) if not refused_by(case.values[0], KINDS["signal"].rows(1))])
def test_a_signal_scores_what_an_image_of_one_row_scores(metric: Metric) -> None:
    """With the random numbers of the signal; and by a method that draws none, since a noisy copy draws by its own shape."""
    signals, values = KINDS["signal"].rows(3), KINDS["signal"].rows(3, seed=1)
    model, method = KINDS["signal"].model(), IntegratedGradients(quadrature=GaussLegendre(steps=2))

    def scored(rows: Tensor, maps: Tensor) -> Scores:
        return score(sized(metric, "signal", rows), model, rows, 0, maps, method)

    expected = scored(signals, values)
    with drawn_as(signals[:, :, None], signals):
        found = scored(signals[:, :, None], values[:, :, None])
    assert_same_scores(found, expected, 1e-4)
