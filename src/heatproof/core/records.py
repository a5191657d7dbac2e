"""The records of a run: one for each model, method, metric, component, image and seed.

Scores are stored without averaging; only reports average them.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from heatproof.core.errors import UnknownNameError

SCHEMA_VERSION = 6
"""The version of the records. It is part of every unit's key, and is raised when a column or the value of a score changes."""


class Direction(StrEnum):
    """The direction in which a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"


class Reduction(StrEnum):
    """The reduction of the channels of a map to one number per pixel."""

    NONE = "none"
    SUM = "sum"
    ABSOLUTE_SUM = "absolute sum"
    MEAN_ABSOLUTE = "mean absolute"
    L2 = "l2"

    @classmethod
    def _missing_(cls, value: object) -> "Reduction | None":
        raise UnknownNameError("reduction", str(value), [str(each) for each in cls])


@dataclass(frozen=True, kw_only=True)
class Record:
    """The score of one map.

    All maps and scores of an image share one clean forward pass, which no record counts. The names of columns say rows where
    they count passes of one image.

    Attributes:
        unit: the key of the unit that computed the score.
        model: the name of the network.
        method: the digest of the method's settings.
        method_label: the label of the method.
        method_settings: the settings of the method, as JSON.
        metric: the name of the metric.
        metric_settings: the settings of the metric, as JSON.
        component: the name of a further component of the metric; empty for its main value.
        direction: the direction in which the metric is better.
        image: the digest of the image.
        image_name: the name of the image.
        label: the label of the image; −1 if it has none.
        target: the class that is explained; −1 if the explained output depends on no class.
        clean_score: the explained output for the image.
        clean_probability: the probability of that class for the image; NaN if there is no class.
        seed: the seed of all random draws.
        value: the score; NaN if there is none.
        error: the Monte Carlo standard error of the score; NaN if nothing was sampled.
        curve: the points of the curve behind the score; empty if there is no curve.
        forward_rows: the forward passes that the map took.
        backward_rows: the backward passes that the map took.
        seconds: the image's share of the time that the maps took.
        map_error: the relative error of the map, as its method estimates it.
        map_gap: the relative completeness gap of the map.
        probes: the number of probes or samples that the map took.
        plan: the label of the acceleration plan by which passes were computed.
        details: further values that the method reports of the map, as JSON.
        metric_forward_rows: the forward passes that scoring took.
        metric_backward_rows: the backward passes that scoring took.
        metric_equivalent_rows: the full forward passes with the same work, which are fewer if some passes were partial.
        metric_seconds: the image's share of the time that scoring took.
        metric_details: further values that the metric reports, as JSON.
        notes: remarks of the method and of the metric.
    """

    unit: str
    model: str
    method: str
    method_label: str
    method_settings: str
    metric: str
    metric_settings: str
    component: str = ""
    direction: str
    image: str
    image_name: str
    label: int = -1
    target: int
    clean_score: float
    clean_probability: float
    seed: int
    value: float
    error: float = float("nan")
    curve: list[float] = field(default_factory=list)
    forward_rows: int
    backward_rows: int
    seconds: float
    map_error: float = float("nan")
    map_gap: float = float("nan")
    probes: int = 0
    plan: str = "plain"
    details: str = ""
    metric_forward_rows: int = 0
    metric_backward_rows: int = 0
    metric_equivalent_rows: float = float("nan")
    metric_seconds: float = 0.0
    metric_details: str = ""
    notes: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, in their order."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A unit that failed, or an image that was refused.

    Attributes:
        unit: the key of the unit.
        what: a description of the unit, or the source of the image.
        reason: the reason, in words.
        traceback: the traceback of the exception, if there was one.
    """

    unit: str
    what: str
    reason: str
    traceback: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, in their order."""
        return asdict(self)
