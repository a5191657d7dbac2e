"""The numbers about one metric on which the rule decides. Each has an interval, and every one is over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from heatproof.core.records import Direction
from heatproof.stats import (
    ALPHA,
    Agreement,
    Calibration,
    EffectSize,
    Ladder,
    MetricAgreement,
    Reliability,
    calibrate,
    climb,
    effect_size,
    kendall_matrix,
    krippendorff_alpha,
    resampling_weights,
    split_half,
)
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.panel import EDGES
from heatproof.verdict.panel_scores import PanelScores
from heatproof.verdict.stability import Stability, stability_of

DRAWS = 2_000
SEED = 0


@dataclass(frozen=True)
class Evidence:
    """What the panel shows about one metric.

    Attributes:
        name: the name of the metric.
        metric: what the metric is called, with what tells it apart from others of that name.
        direction: which way it is better.
        n: the images on which at least one method has a score.
        calibration: how often it calls two random maps different.
        ladders: for each kind of damage, whether damage lowers the score.
        damaged: the method whose map was damaged.
        reliability: whether another half of the images would give the methods and controls the same means.
        over_seeds: whether other random draws would.
        agreement: how far single images agree about the order of methods and controls.
        best: the method with the best mean.
        over_chance: its effect size over a random map. The images that it needs are those of a test that is corrected for
            the choice of the best of all methods.
        over_edges: its effect size over the edge map, likewise.
        confounds: for each control, its effect size over a random map.
        passes: the passes that scoring one map of one image takes.
        stability: for each variant of the metric, how far it orders the maps alike; empty if this was not asked for.
    """

    name: str
    metric: str
    direction: Direction
    n: int
    calibration: Calibration
    ladders: Mapping[str, Ladder]
    damaged: str
    reliability: Reliability
    over_seeds: Reliability
    agreement: Agreement
    best: str
    over_chance: EffectSize
    over_edges: EffectSize
    confounds: Mapping[str, EffectSize]
    passes: float
    stability: Mapping[str, Stability] = field(default_factory=dict)


def weigh(scores: PanelScores) -> Evidence:
    """The evidence about one metric from the scores of the panel.

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.verdict.evidence import weigh
    >>> from heatproof.verdict.panel_scores import PanelScores
    >>> rng = np.random.default_rng(0)
    >>> levels = np.array([2.0, 1.5, 1.0, 0.0])
    >>> scores = PanelScores(
    ...     name="truth",
    ...     title="truth",
    ...     direction=Direction.HIGHER,
    ...     labels=("good", "fair"),
    ...     methods=levels[:2, None] + 0.3 * rng.normal(size=(2, 2, 12)),
    ...     controls={"Edge map": 1 + 0.3 * rng.normal(size=12)},
    ...     chance=0.3 * rng.normal(size=(4, 12)),
    ...     ladders={"noise": levels[:, None] + 0.3 * rng.normal(size=(4, 12))},
    ...     damage=np.array([0.0, 0.25, 0.5, 1.0]),
    ...     damaged="good",
    ...     passes=20.0,
    ... )
    >>> evidence = weigh(scores)
    >>> evidence.best, evidence.ladders["noise"].low > 0.5, evidence.over_chance.images < 12
    ('good', True, True)
    """
    sign = -1.0 if scores.direction == Direction.LOWER else 1.0
    m, n = scores.methods.shape[1:]
    weights = resampling_weights(n, DRAWS, np.random.default_rng(SEED))
    gains, chance = sign * scores.methods[0], sign * scores.chance[0]
    best = _best(gains)
    everything = scores.everything
    seeds = np.stack([_means(scores.methods[seed]) for seed in range(len(scores.methods))], axis=1)
    nothing = np.full(n, np.nan)
    return Evidence(
        name=scores.name,
        metric=scores.title,
        direction=scores.direction,
        n=int(np.isfinite(scores.methods[0]).any(axis=0).sum()),
        calibration=calibrate(scores.chance, np.random.default_rng(SEED)),
        ladders={kind: climb(values, scores.damage, scores.direction, weights) for kind, values in scores.ladders.items()},
        damaged=scores.damaged,
        reliability=split_half(everything, np.random.default_rng(SEED)),
        over_seeds=split_half(seeds, np.random.default_rng(SEED)),
        agreement=krippendorff_alpha(everything, weights),
        best=scores.labels[best] if best is not None else "",
        over_chance=effect_size(gains[best] if best is not None else nothing, chance, alpha=ALPHA / m),
        over_edges=effect_size(
            gains[best] if best is not None else nothing, sign * scores.controls.get(EDGES, nothing), alpha=ALPHA / m
        ),
        confounds={label: effect_size(sign * values, chance) for label, values in scores.controls.items()},
        passes=scores.passes,
        stability=stability_of(everything, scores.variants, scores.direction, m),
    )


def agreement_of(scores: Sequence[PanelScores]) -> MetricAgreement:
    """How far metrics agree about the methods and controls of one panel."""
    stacked = np.stack([each.everything for each in scores])
    weights = resampling_weights(stacked.shape[2], DRAWS, np.random.default_rng(SEED))
    return kendall_matrix(stacked, [each.direction for each in scores], weights)


def _best(gains: Floats) -> int | None:
    """The method with the best mean of those that have a score on at least half of the images; None if there is none."""
    counts = np.isfinite(gains).sum(axis=1)
    means = np.where(counts * 2 >= max(int(counts.max(initial=0)), 1), _means(gains), -np.inf)
    return int(np.nanargmax(means)) if np.isfinite(means).any() else None


def _means(scores: Floats) -> Floats:
    """The mean of each row over what is not missing; NaN for a row without any score."""
    known = np.isfinite(scores)
    count = known.sum(axis=1)
    total: Floats = np.where(known, scores, 0.0).sum(axis=1)
    means: Floats = np.divide(total, count, out=np.full(len(scores), np.nan), where=count > 0)
    return means
