"""What a run keeps: one row per model × method × metric × image × component. Values are never averaged before they are kept."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 4


class Direction(StrEnum):
    """Which way a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"


class Reduction(StrEnum):
    """How the channels of a raw map become one number per pixel."""

    NONE = "none"
    SUM = "sum"
    ABSOLUTE_SUM = "absolute sum"
    MEAN_ABSOLUTE = "mean absolute"
    L2 = "l2"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The score of one map.

    `component` is "" for the headline value of a metric and names a further number otherwise. `error` is the Monte Carlo
    standard error of `value` (NaN where nothing was sampled). `curve` holds the points behind `value`, if any. Rows and seconds
    are an image's share of what the map cost, and of what scoring it cost, beyond the one clean forward row that all maps and
    scores of an image share and no record holds; `map_error` is the map's own relative error, `map_gap` its relative
    completeness gap, `probes` the probes or samples it took, `plan` how its rows were computed, `details` what else
    its method tells of it, `metric_equivalent_rows` the forward rows that scoring took in work, where some were computed only in
    part, `metric_details` what the metric tells beside its values, as JSON.
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
        """Plain values, in field order."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A unit that could not be computed, or an image that was refused."""

    unit: str
    what: str
    reason: str
    traceback: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
