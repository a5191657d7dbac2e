"""What is asked of a run, as it stands in a TOML file.

    name = "demo"                         # the run's folder
    seeds = [0]
    stop = { against = "chance" }         # optional: no further images once the comparisons are decided
    [dataset]
    name = "photos"
    [[models]]
    name = "efficientnet_lite0"           # a loader's settings, and optionally output = "probability"
    [[methods]]
    name = "smooth_grad"                  # a method's settings, and optionally a label and a grid
    grid = { samples = [10, 50], "noise.sigma" = [0.1, 0.2] }
    [[metrics]]
    name = "perturbation_curve"           # a metric's settings, and optionally primary = true and a label

A metric that compares with the map of a `reference` takes the label of a method for it.

Names are those of the registries, never import paths: a file of a stranger cannot run code.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, PositiveInt, ValidationError, field_validator

from heatproof.core.errors import SettingsError
from heatproof.core.formatting import sentence_case
from heatproof.data.base import Dataset
from heatproof.evaluation.stopping import Stop
from heatproof.methods.base import Method
from heatproof.metrics.base import Metric
from heatproof.models.loaders.base import Loader
from heatproof.models.outputs import Output
from heatproof.passes.acceleration import Precision
from heatproof.stats import STATISTICS
from heatproof.store.published import AssociationEntry, ClaimEntry, PublishedTable, SweepEntry


@dataclass(frozen=True)
class ModelChoice:
    """A network to load, and the scalar of it that is explained."""

    loader: Loader
    output: Output


@dataclass(frozen=True)
class MethodChoice:
    """A method with the name that tables show."""

    method: Method
    label: str


@dataclass(frozen=True)
class MetricChoice:
    """A metric with the name that tables show."""

    metric: Metric
    label: str


class Experiment(BaseModel):
    """Everything that decides the numbers of a run, and nothing that does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
    title: str = ""
    dataset: dict[str, Any]
    models: tuple[dict[str, Any], ...] = Field(min_length=1)
    methods: tuple[dict[str, Any], ...] = Field(min_length=1)
    metrics: tuple[dict[str, Any], ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    target: Literal["predicted", "label"] = "predicted"
    """Which class is explained: the model's own top-1 on the clean image, or the image's label."""
    batch: PositiveInt = 4
    """Images a unit. Changes no number, only how much work is lost when a unit is cut short."""
    kept_maps: int = Field(default=12, ge=0)
    """Images whose raw maps are kept beside the scores; the first ones of the set."""
    precision: Precision = "exact"
    """How rows are computed: plain, exact (the fastest plan in the network's own precision), fast or auto (also bfloat16)."""
    incremental: bool = True
    """Whether rows that differ from an image in one rectangle are computed only where that can reach, if it pays."""
    memory: ByteSize | None = None
    """Bytes that the rows which pass through a network at once may take, such as "2GB"; a share of what is free unless given."""
    stop: Stop | None = None
    """When the rest of the images need not be computed; None = never."""
    smoke: bool = False
    """Marks a run whose budget is too small to conclude from."""
    budget: str = ""
    """In what way the run was cut to fit a budget, in words; shown in its report."""
    tables: tuple[PublishedTable, ...] = ()
    """Published numbers to show beside the run's own."""
    sweeps: tuple[SweepEntry, ...] = ()
    """Settings to draw scores against."""
    associations: tuple[AssociationEntry, ...] = ()
    """Two metrics whose curves are drawn against each other."""
    claims: tuple[ClaimEntry, ...] = ()
    """What is said of the scores, to be tested by the run."""

    @field_validator("claims")
    @classmethod
    def _statistics_exist(cls, claims: tuple[ClaimEntry, ...]) -> tuple[ClaimEntry, ...]:
        for claim in claims:
            if claim.statistic and claim.statistic not in STATISTICS:
                raise ValueError(f"statistic: expected one of {', '.join(STATISTICS)}, got {claim.statistic!r}")
        return claims

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a TOML file.

        Raises:
            SettingsError: the file is missing, no TOML, or holds an impossible or unknown setting.
        """
        try:
            return cls.parse(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise SettingsError(f"{path}: expected an experiment file (TOML), found none") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: expected TOML, got {error}") from None

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Check the content of a file, every entry of it, before anything runs."""
        try:
            experiment = cls.model_validate(dict(content))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            fields = (Stop if first["loc"][0] == "stop" and len(first["loc"]) > 1 else cls).model_fields
            known = f"; known settings: {', '.join(fields)}" if first["type"] == "extra_forbidden" else ""
            raise SettingsError(f"experiment: {where}: {first['msg']}{known}") from None
        experiment.data()
        list(experiment.model_entries())
        entries = list(experiment.method_entries())
        labels = [entry.label for entry in entries]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise SettingsError(f"experiment: expected methods that differ, got {', '.join(twice)} twice; give each its own label")
        metrics = {entry.metric.name for entry in experiment.metric_entries()}
        metrics |= {entry.label for entry in experiment.metric_entries()}
        for what, named in experiment._spoken_of():
            if unknown := sorted(named - {*labels, *metrics}):
                raise SettingsError(
                    f"experiment: {what}: expected labels of methods and names of metrics, got {', '.join(unknown)}"
                )
        if experiment.stop and not experiment.stop.pairs([entry.method for entry in entries]):
            missing = {"chance": "a random_map", "controls": "a control", "all": "two methods"}[experiment.stop.against]
            raise SettingsError(
                f"experiment: stop.against = {experiment.stop.against!r}: expected {missing} among the methods, got none; "
                "add a random_map, or compare all pairs of methods with against = 'all'"
            )
        return experiment

    def _spoken_of(self) -> Iterator[tuple[str, set[str]]]:
        """What tables and claims speak of."""
        for table in self.tables:
            yield (
                f"table {table.title!r}",
                {*table.methods, *(metric for numbers in table.published.values() for metric in numbers)},
            )
        for claim in self.claims:
            yield f"claim {claim.says!r}", {*filter(None, [claim.metric]), *claim.labels}
            if claim.association and claim.association not in {association.title for association in self.associations}:
                yield f"claim {claim.says!r}", {claim.association}
        for association in self.associations:
            yield f"association {association.title!r}", {association.x, association.y}
        for sweep in self.sweeps:
            if not any(entry.method.name == sweep.method for entry in self.method_entries()):
                yield f"sweep {sweep.title!r}", {sweep.method}

    def data(self) -> Dataset:
        """The data set."""
        return Dataset.from_dict(self.dataset)

    def model_entries(self) -> Iterator[ModelChoice]:
        """The networks, in order."""
        for entry in self.models:
            settings = {key: value for key, value in entry.items() if key != "output"}
            yield ModelChoice(Loader.from_dict(settings), Output.from_dict(entry.get("output", "logit")))

    def method_entries(self) -> Iterator[MethodChoice]:
        """The methods, grids unrolled, in order."""
        for entry in self.methods:
            for settings, label in unrolled(entry):
                yield MethodChoice(Method.from_dict(settings), label)

    def metric_entries(self) -> Iterator[MetricChoice]:
        """The metrics, in order, references by label put in."""
        methods = {entry.label: entry.method.to_dict() for entry in self.method_entries()}
        for entry in self.metrics:
            settings = {key: value for key, value in entry.items() if key not in ("primary", "label")}
            metric = Metric.from_dict(with_reference(settings, methods))
            yield MetricChoice(metric, str(entry.get("label") or metric.label))

    def metric_list(self) -> list[Metric]:
        """The metrics alone, in order."""
        return [entry.metric for entry in self.metric_entries()]

    def primary_metrics(self) -> list[Metric]:
        """The metrics of the primary one's name: one, unless it is given with several settings."""
        return [metric for metric in self.metric_list() if metric.name == self.primary_metric()]

    def primary_metric(self) -> str:
        """Name of the metric that the headline speaks of: the one marked `primary`, else the first."""
        marked = [entry["name"] for entry in self.metrics if entry.get("primary")]
        return str(marked[0] if marked else self.metrics[0]["name"])


def with_reference(metric: Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A metric's settings, with those of a method in place of its label."""
    reference = metric.get("reference")
    found = methods.get(reference) if isinstance(reference, str) else None
    return dict(metric) if found is None else {**metric, "reference": dict(found)}


def unrolled(entry: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The settings and the label of each point of a method's grid; of the method itself, without one."""
    settings = {key: value for key, value in entry.items() if key not in ("label", "grid")}
    for point in _grid_points(entry.get("grid", {})):
        found = _with(settings, point)
        label = entry.get("label") or method_label(Method.from_dict(found), {} if point else settings)
        values = ", ".join(f"{key.rpartition('.')[2]} {_short(value)}" for key, value in point.items())
        yield found, f"{label} ({values})" if point else label


def _grid_points(grid: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(grid, Mapping) or not all(isinstance(values, list) and values for values in grid.values()):
        raise SettingsError(f"grid: expected a table of setting = [values], got {grid!r}")
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _with(settings: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the grid's values put in; a dotted key reaches into a nested table."""
    result = dict(settings)
    for path, value in point.items():
        head, _, rest = path.partition(".")
        if rest:
            inner = result.get(head, {})
            value = _with({"name": inner} if isinstance(inner, str) else inner, {rest: value})
        result[head] = value
    return result


def method_label(method: Method, settings: Mapping[str, Any]) -> str:
    """`Integrated gradients (baseline white)`: the name of a method in words, and the settings that were given."""
    words = method.label or method.name.replace("_", " ")
    details = ", ".join(f"{key} {_short(value)}" for key, value in settings.items() if key != "name")
    return sentence_case(words) + (f" ({details})" if details else "")


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(v) if key == "name" else f"{key} {_short(v)}" for key, v in value.items())
    return str(value)
