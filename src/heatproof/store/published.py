"""Published tables, published claims and the figures that an experiment asks for: entries of an experiment and of its manifest.

These entries say what a report shows beside the run's own scores. They decide no score, so they are no part of a unit's key.

    [[tables]]
    title = "Table I"
    methods = ["IG, black", "IG, noise"]                            # labels of methods, in the order of the table's rows
    [tables.published.densenet121]                                  # network, then metric: one number for each method
    perturbation_curve = [23.63, 21.51]

    [[claims]]
    says = "Noise is a better baseline than black"
    metric = "perturbation_curve"
    below = ["IG, noise"]                                           # each of these methods scores lower …
    above = ["IG, black"]                                           # … than each of these

A claim states one of four things about mean scores: with `below` and `above`, each method of the first list scores lower than each
of the second; with `falls`, each method scores lower than the one before it; with `alike` and `to`, two methods score the same up
to `within` times the score of the second; with `reach` and `least`, no score of these methods is lower than a number. A claim names
its metric, or the label that the metric has in the experiment; with a `component`, it is about that component of the metric.

    [[associations]]
    title = "Cosine and τ under noise"
    x = "cosine under noise"                                        # labels of two metrics whose curves share their levels
    y = "τ under noise"

An association draws two curves of an image against each other, level by level. A claim may be about a `statistic` of such an
`association` instead of a metric: one number for each method, taken over all images and levels (see `stats.association`).

    [[sweeps]]
    title = "SmoothGrad by samples"
    method = "smooth_grad"
    along = "samples"                                               # a path into the method's settings, such as `noise.sigma`
    by = ["noise.sigma"]                                            # one line for each value of these settings
"""

import itertools
from abc import ABC
from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

Labels = tuple[str, ...]


class Entry(BaseModel, ABC):
    """The base of all entries of an experiment or a manifest: a frozen record that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PublishedTable(Entry):
    """A published table: the labels of its methods, and their numbers by network and metric."""

    title: str
    methods: Labels = Field(min_length=1)
    published: Mapping[str, Mapping[str, tuple[float | None, ...]]] = {}

    @model_validator(mode="after")
    def _one_number_for_each_method(self) -> Self:
        for network, numbers in self.published.items():
            for metric, values in numbers.items():
                if len(values) != len(self.methods):
                    raise ValueError(
                        f"published.{network}.{metric}: expected {len(self.methods)} numbers, one a method, got {len(values)}"
                    )
        return self

    @property
    def metrics(self) -> list[str]:
        """The metrics that any network of the table has numbers of, in the order of the table."""
        return list(dict.fromkeys(metric for numbers in self.published.values() for metric in numbers))

    def numbers(self, row: int, metric: str) -> dict[str, float | None]:
        """The published number of one method and metric, by network."""
        return {network: numbers[metric][row] for network, numbers in self.published.items() if metric in numbers}


class AssociationEntry(Entry):
    """Two metrics, by label, whose curves are drawn against each other."""

    title: str
    x: str
    y: str


class SweepEntry(Entry):
    """A figure of scores against one setting, for all methods of one name.

    along and by are paths into the method's settings, such as `noise.sigma`; each value of `by` gets a line of its own.
    """

    title: str
    method: str
    along: str
    by: Labels = ()


class ClaimEntry(Entry):
    """A published statement about mean scores, or about a statistic of an association: an order, a likeness or a level."""

    says: str
    metric: str = ""
    component: str = ""
    association: str = ""
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
        if bool(self.metric) == bool(self.association) or bool(self.association) != bool(self.statistic):
            raise ValueError("expected a metric, or an association and a statistic of it")
        if self.association and (self.component or self.alike):
            raise ValueError("association: expected an order or a level of a statistic, got a component or a likeness")
        return self

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The pairs (lower, higher) of an order, the pairs that are alike, or the pairs (level, method that reaches it)."""
        if self.falls:
            yield from ((later, earlier) for earlier, later in itertools.pairwise(self.falls))
        yield from itertools.product(self.below or self.alike, self.above or self.to)
        yield from ((f"{self.least:g}", label) for label in self.reach)

    @property
    def labels(self) -> set[str]:
        """The labels of the methods that the claim names."""
        return {*self.below, *self.above, *self.falls, *self.alike, *self.to, *self.reach}

    @property
    def is_tested(self) -> bool:
        """Whether a paired test decides the claim; the interval of the difference decides a likeness, a level and a statistic."""
        return not self.alike and self.least is None and not self.association
