"""Where the truth is known: does a metric order the methods as what the network is known to use does?

    τ = Kendall's τ-b between the order of the methods' means under the metric and under a metric of known truth

A metric of known truth is told what the network may use: the object or the scene of `mini_bam`, the cell of a mosaic, a planted
mark. A metric that does not agree with it there is not to be believed where nothing is known. 1 is the same order, 0 none in
common, −1 the opposite one. The interval is over images, which are resampled for both metrics at once. Beside the methods alone,
the order of the methods, the controls and one random map is compared, which many metrics tell from every method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.errors import UsageError
from heatproof.core.records import Direction
from heatproof.core.settings_text import parse_settings
from heatproof.methods import RandomMap
from heatproof.metrics.metric import Metric
from heatproof.stats import kendall_matrix, resampling_weights
from heatproof.stats.bootstrap import Floats
from heatproof.store import Run
from heatproof.verdict.panel import CHANCE, PANEL_SEEDS, MapPanel, Part

DRAWS = 1_000
_SCORES = "SELECT method_label, image, value FROM records WHERE component = '' AND isfinite(value)"


@dataclass(frozen=True)
class TruthAgreement:
    """How far a metric orders the methods as the truth does.

    Attributes:
        tau: Kendall's τ over the methods, with its interval [`low`, `high`] over images; NaN for fewer than two methods.
        all_maps: τ over the methods, the controls and one random map, and the ends of its interval.
        n: the images with a score of both.
    """

    tau: float
    low: float
    high: float
    all_maps: tuple[float, float, float]
    n: int

    @property
    def verdict(self) -> str:
        """In a word: agrees, contradicts or undecided, by the interval over the methods."""
        return "agrees" if self.low > 0 else "contradicts" if self.high < 0 else "undecided"


@dataclass(frozen=True)
class TruthScores:
    """The scores [maps, images] of a metric of known truth: of the methods, the controls and one random map, of the first seed."""

    title: str
    direction: Direction
    values: Floats

    def agreement(self, scores: Floats, direction: Direction, methods: int) -> TruthAgreement:
        """The agreement of the scores [maps, images] of a metric about the same maps, of which the first ones are the methods.

        >>> import numpy as np
        >>> from heatproof.core.records import Direction
        >>> from heatproof.verdict.truth import TruthScores
        >>> values = np.array([[3.0, 3.1, 2.9], [2.0, 2.1, 2.2], [1.0, 1.2, 1.1]])
        >>> found = TruthScores("truth", Direction.HIGHER, values).agreement(-values, Direction.HIGHER, 2)
        >>> found.tau, found.verdict
        (-1.0, 'contradicts')
        """
        both, weights = np.stack([self.values, scores]), resampling_weights(scores.shape[1], DRAWS, np.random.default_rng(0))
        matrices = [kendall_matrix(part, [self.direction, direction], weights) for part in (both[:, :methods], both)]
        alone, every = ((float(each.tau[0, 1]), float(each.low[0, 1]), float(each.high[0, 1])) for each in matrices)
        return TruthAgreement(*alone, every, int(np.isfinite(both).all(axis=0).any(axis=0).sum()))


def truth_of(given: Any) -> Metric:
    """The metric of known truth that a user names, in one line of text, as settings or as an object.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(given, Metric):
        return given
    if isinstance(given, str | Mapping):
        return Metric.from_dict(parse_settings(given) if isinstance(given, str) else given)
    raise UsageError(f"truth: expected a metric, its name or its settings, such as 'grid_pointing', got a {type(given).__name__}")


def truth_part(panel: MapPanel, truth: Metric) -> Part:
    """What the run of the truth scores: the methods, the controls and one random map."""
    return Part({**panel.methods, **panel.controls, CHANCE: RandomMap()}, PANEL_SEEDS[:1], {truth.label: truth})


def read_truth(run: Run, panel: MapPanel, images: Sequence[str]) -> TruthScores:
    """The scores of the truth, with the images in the order of their digests."""
    column = {digest: index for index, digest in enumerate(images)}
    row = {label: index for index, label in enumerate([*panel.methods, *panel.controls, CHANCE])}
    metric, values = run.manifest().metrics[0], np.full((len(row), len(column)), np.nan)
    for score in run.query(_SCORES).to_pylist():
        values[row[score["method_label"]], column[score["image"]]] = score["value"]
    return TruthScores(metric.title or metric.name, metric.direction, values)
