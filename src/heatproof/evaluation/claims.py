"""What others found, and what they said of it: beside our numbers in a report, and no part of what decides them.

    [[tables]]
    title = "PublishedTable I"
    methods = ["IG, black", "IG, noise"]                            # labels of methods, in the order of the rows
    [tables.published.densenet121]                                  # network, then metric: a number a row
    perturbation_curve = [23.63, 21.51]

    [[claims]]
    says = "Noise is a better baseline than black"
    metric = "perturbation_curve"
    below = ["IG, noise"]                                           # every one of these scores lower …
    above = ["IG, black"]                                           # … than every one of those

A claim says one of four things of mean scores: `below` and `above`, each of the first lower than each of the second; `falls`, each
method lower than the one before it; `alike` and `to`, equal up to `within` times the score of the second; `reach` and `least`, no
score of these methods lower than a number. Its metric goes by name, or by the label it has in the experiment; with a `component`,
the claim is of that number of the metric.

    [[relations]]
    title = "Cosine and τ under noise"
    x = "cosine under noise"                                        # labels of two metrics with curves over the same levels
    y = "τ under noise"

Two curves of an image are drawn against each other, level by level. A claim may be of a `statistic` of such a `relation` in place
of a metric: one number a method, of all images and levels (see `stats.relation`).
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from heatproof.stats import STATISTICS

Labels = tuple[str, ...]


class PublishedTable(BaseModel):
    """A published table: methods by label, and their numbers by network and metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    methods: Labels = Field(min_length=1)
    published: Mapping[str, Mapping[str, tuple[float | None, ...]]] = {}

    @model_validator(mode="after")
    def _a_number_a_row(self) -> Self:
        for network, numbers in self.published.items():
            for metric, values in numbers.items():
                if len(values) != len(self.methods):
                    raise ValueError(
                        f"published.{network}.{metric}: expected {len(self.methods)} numbers, one a method, got {len(values)}"
                    )
        return self


class AssociationEntry(BaseModel):
    """Two metrics, by label, whose curves are drawn against each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    x: str
    y: str


class Claim(BaseModel):
    """An ordering, a likeness or a level that the mean scores of methods, or a statistic of a relation, are said to have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    metric: str = ""
    component: str = ""
    relation: str = ""
    statistic: str = ""
    below: Labels = ()
    above: Labels = ()
    falls: Labels = ()
    alike: Labels = ()
    to: Labels = ()
    within: PositiveFloat = 0.05
    reach: Labels = ()
    least: float | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = {name for name in ("below", "above", "falls", "alike", "to", "reach") if getattr(self, name)}
        given |= {"least"} if self.least is not None else set()
        if given not in ({"below", "above"}, {"falls"}, {"alike", "to"}, {"reach", "least"}) or len(self.falls) == 1:
            raise ValueError(
                f"expected below and above, falls with two methods or more, alike and to, or reach and least, got {sorted(given)}"
            )
        if bool(self.metric) == bool(self.relation) or bool(self.relation) != bool(self.statistic):
            raise ValueError("expected a metric, or a relation and a statistic of it")
        if self.relation and (self.statistic not in STATISTICS or self.component or self.alike):
            raise ValueError(f"relation: expected an order or a level of one of {', '.join(STATISTICS)}, got {self.statistic!r}")
        return self

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(lower, higher), the two that are alike, or (the level, what reaches it)."""
        if self.falls:
            yield from ((later, earlier) for earlier, later in itertools.pairwise(self.falls))
        yield from itertools.product(self.below or self.alike, self.above or self.to)
        yield from ((f"{self.least:g}", label) for label in self.reach)

    @property
    def labels(self) -> set[str]:
        """Methods that it speaks of."""
        return {*self.below, *self.above, *self.falls, *self.alike, *self.to, *self.reach}

    def facts(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "says": self.says,
            "metric": self.metric,
            "component": self.component,
            "relation": self.relation,
            "statistic": self.statistic,
            "pairs": [list(pair) for pair in self.pairs()],
            "within": self.within if self.alike else None,
            "least": self.least,
        }
