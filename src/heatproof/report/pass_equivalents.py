"""The saving of partial recomputation: the number of forward passes that scoring took, and of full passes with equal work."""

from typing import NamedTuple

from heatproof.store import Run

# Each score has one record without a component, and all its records state the same passes.
_SQL = """
SELECT model, metric, sum(metric_forward_rows)::BIGINT AS passes, sum(metric_equivalent_rows) AS equivalent
FROM records WHERE component = '' AND isfinite(metric_equivalent_rows)
GROUP BY ALL HAVING equivalent < passes ORDER BY model, metric
"""


class PassEquivalents(NamedTuple):
    """The forward passes that one metric took on one network.

    Attributes:
        model: the name of the network.
        metric: the name of the metric.
        passes: the number of forward passes, full and partial.
        equivalent: the number of full forward passes with the same number of operations, which is smaller.
    """

    model: str
    metric: str
    passes: int
    equivalent: float


def pass_equivalents(run: Run) -> list[PassEquivalents]:
    """The forward passes of each network and metric for which some passes were computed only in part."""
    return [PassEquivalents(**row) for row in run.query(_SQL).to_pylist()]
