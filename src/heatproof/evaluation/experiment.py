"""An experiment: the content of the TOML file that describes a run.

    name = "demo"                         # the name of the run's folder
    seeds = [0]
    stop = { against = "chance" }         # optional: stop once all comparisons are decided
    [dataset]
    name = "photos"
    [[models]]
    name = "efficientnet_lite0"           # the settings of a loader, and optionally output = "probability" and a label
    [[methods]]
    name = "smooth_grad"                  # the settings of a method, and optionally a label and a grid
    grid = { samples = [10, 50], "noise.sigma" = [0.1, 0.2] }
    [[metrics]]
    name = "perturbation_curve"           # the settings of a metric, and optionally primary = true and a label

An entry may be one line of text, as on the command line, and the data set a name or a path:

    dataset = "photographs/mine"
    models = ["torchvision:resnet18,weights=random", "my_package.nets:build,width=8"]
    methods = ["gradient", "smooth_grad,samples=20"]
    metrics = ["pixel_flipping"]

A metric that compares maps with those of a `reference` method accepts the label of a method of the experiment.

Every name refers to a registry, so an experiment file from an unknown source cannot run code, with one exception: a model that is
named by an import path, as `imported` or in one line, runs the code that the path names.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, PositiveInt, ValidationError, ValidationInfo, field_validator

from heatproof.core.errors import SettingsError
from heatproof.core.formatting import comma_list
from heatproof.core.objects import built
from heatproof.core.settings_text import parse_settings
from heatproof.data.base import Dataset
from heatproof.data.sources import dataset_of
from heatproof.evaluation.stopping import Stop
from heatproof.methods.base import Method, in_words
from heatproof.metrics.metric import Metric
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.model_reference import resolve
from heatproof.models.outputs import Output
from heatproof.passes.acceleration import Precision
from heatproof.stats import STATISTICS
from heatproof.store.published import AssociationEntry, ClaimEntry, PublishedTable, SweepEntry
from heatproof.training import Trained


@dataclass(frozen=True)
class ModelChoice:
    """A network of the experiment: its loader, the scalar output that is explained (None for the network's own), its name in tables
    and figures (empty for its own), and the number of its training, from 1, where there are several.
    """

    loader: Loader
    output: Output | None
    label: str = ""
    training: int | None = None

    @property
    def suffix(self) -> str:
        """What the name of the network ends in, so that trainings are told apart."""
        return "" if self.training is None else f", training {self.training}"

    def recipe_of(self, name: str) -> str:
        """The name of what a network of this name is one of several trainings of; empty if there is one."""
        return name.removesuffix(self.suffix) if self.suffix else ""


@dataclass(frozen=True)
class MethodChoice:
    """A method of the experiment, with its label in tables and figures."""

    method: Method
    label: str


@dataclass(frozen=True)
class MetricChoice:
    """A metric of the experiment, with its label in tables and figures."""

    metric: Metric
    label: str


class Experiment(BaseModel):
    """An experiment: the data set, networks, methods and metrics of a run, with all settings that decide its numbers.

    Create one with `Experiment.read` or `Experiment.parse`, which check every entry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
    title: str = ""
    dataset: dict[str, Any]
    models: tuple[dict[str, Any], ...] = Field(min_length=1)
    methods: tuple[dict[str, Any], ...] = Field(min_length=1)
    metrics: tuple[dict[str, Any], ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    trainings: PositiveInt = 1
    """How often each network that is trained here is trained, from other first weights and in another order of the examples."""
    target: Literal["predicted", "label"] = "predicted"
    """The class that is explained: the model's most probable class for the image, or the image's label."""
    batch: PositiveInt = 4
    """The number of images per unit. It changes no score, only the amount of work that is lost if a unit is interrupted."""
    kept_maps: int = Field(default=12, ge=0)
    """The number of images whose maps are stored together with the scores; these are the first images of the data set."""
    precision: Precision = "exact"
    """How passes are computed: plain, exact (the fastest plan in the network's own precision), fast or auto (also bfloat16)."""
    incremental: bool = True
    """Whether passes of images that differ from another in one rectangle are recomputed only in the affected region, if faster."""
    memory: ByteSize | None = None
    """The memory that one chunk of passes may take, such as "2GB"; by default, a share of the free memory."""
    stop: Stop | None = None
    """The rule that stops a model before its last image; None means that all images are computed."""
    smoke: bool = False
    """Whether the run is only a test that everything works, too small to draw conclusions from."""
    budget: str = ""
    """The way in which the run was reduced to a budget, in words, for its report."""
    tables: tuple[PublishedTable, ...] = ()
    """Published numbers that the report shows next to the run's own."""
    sweeps: tuple[SweepEntry, ...] = ()
    """Settings of methods against which the report draws scores."""
    associations: tuple[AssociationEntry, ...] = ()
    """Pairs of metrics whose curves the report draws against each other."""
    claims: tuple[ClaimEntry, ...] = ()
    """Published statements about scores, which the report tests on the run."""

    @field_validator("dataset", "models", "methods", "metrics", mode="before")
    @classmethod
    def _texts_are_settings(cls, given: Any, info: ValidationInfo) -> Any:
        if isinstance(given, str):
            dataset = dataset_of(given) if info.field_name == "dataset" else None
            return dataset.to_dict() if dataset is not None else given
        if isinstance(given, Mapping) or not isinstance(given, list | tuple):
            return given
        return [parse_settings(entry) if isinstance(entry, str) else entry for entry in given]

    @field_validator("models", "methods", "metrics")
    @classmethod
    def _labels_are_texts(cls, entries: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for entry in entries:
            if not isinstance(entry.get("label", ""), str):
                raise ValueError(f"label: expected text, got {entry['label']!r:.80}")
        return entries

    @field_validator("claims")
    @classmethod
    def _statistics_exist(cls, claims: tuple[ClaimEntry, ...]) -> tuple[ClaimEntry, ...]:
        for claim in claims:
            if claim.statistic and claim.statistic not in STATISTICS:
                raise ValueError(f"statistic: expected one of {', '.join(STATISTICS)}, got {claim.statistic!r}")
        return claims

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file and check every entry of it.

        Raises:
            SettingsError: the file is missing, is not TOML, or has a setting that is unknown or impossible.
        """
        return cls.parse(toml_content(read_text(path), path))

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Check every entry of the content of an experiment file.

        Raises:
            SettingsError: a setting is unknown or impossible, two methods share a label, or a name refers to nothing.
        """
        try:
            experiment = cls.model_validate(dict(content))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            fields = (Stop if first["loc"][0] == "stop" and len(first["loc"]) > 1 else cls).model_fields
            known = f"; known settings: {', '.join(fields)}" if first["type"] == "extra_forbidden" else ""
            message = (
                "expected at least one, got none" if first["type"] == "too_short" else first["msg"].removeprefix("Value error, ")
            )
            raise SettingsError(f"experiment: {where}: {message}{known}") from None
        experiment.data()
        networks = list(experiment.model_entries())
        if experiment.trainings > 1 and all(entry.training is None for entry in networks):
            raise SettingsError(
                f"experiment: trainings = {experiment.trainings}: expected a network that is trained here, got none; "
                "leave the setting out, or add a model of the name trained"
            )
        entries = list(experiment.method_entries())
        labels = [entry.label for entry in entries]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise SettingsError(f"experiment: expected methods that differ, got {', '.join(twice)} twice; give each its own label")
        metrics = {entry.metric.name for entry in experiment.metric_entries()}
        metrics |= {entry.label for entry in experiment.metric_entries()}
        for what, named in experiment._references():
            if unknown := sorted(named - {*labels, *metrics}):
                got = comma_list([f"{name!r:.60}" for name in unknown])
                raise SettingsError(f"experiment: {what}: expected labels of methods and names of metrics, got {got}")
        if experiment.stop and not experiment.stop.pairs([entry.method for entry in entries]):
            missing = {"chance": "a random_map", "controls": "a control", "all": "two methods"}[experiment.stop.against]
            raise SettingsError(
                f"experiment: stop.against = {experiment.stop.against!r}: expected {missing} among the methods, got none; "
                "add a random_map, or compare all pairs of methods with against = 'all'"
            )
        return experiment

    def _references(self) -> Iterator[tuple[str, set[str]]]:
        """The labels and names that each table, claim, association and sweep refers to."""
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
        """The data set that the images come from."""
        dataset: Dataset = built(Dataset, self.dataset)
        return dataset

    def model_entries(self) -> Iterator[ModelChoice]:
        """The networks in the order of the file, with one entry for each training."""
        for entry in self.models:
            output = Output.from_dict(entry["output"]) if "output" in entry else None
            loader, label = loader_of(entry), str(entry.get("label", ""))
            if self.trainings > 1 and isinstance(loader, Trained):
                for nth in range(self.trainings):
                    yield ModelChoice(loader.reseeded(nth), output, label, nth + 1)
            else:
                yield ModelChoice(loader, output, label)

    def method_entries(self) -> Iterator[MethodChoice]:
        """The methods in the order of the file, with one entry for each point of a grid."""
        for entry in self.methods:
            for settings, label in unrolled(entry):
                yield MethodChoice(built(Method, settings), label)

    def metric_entries(self) -> Iterator[MetricChoice]:
        """The metrics in the order of the file; a reference by label is replaced by the settings of that method."""
        methods = {entry.label: entry.method.to_dict() for entry in self.method_entries()}
        for entry in self.metrics:
            settings = {key: value for key, value in entry.items() if key not in ("primary", "label")}
            metric = built(Metric, with_reference(settings, methods))
            yield MetricChoice(metric, str(entry.get("label") or metric.label))

    def metric_list(self) -> list[Metric]:
        """The metrics without their labels, in the order of the file."""
        return [entry.metric for entry in self.metric_entries()]

    def primary_metrics(self) -> list[Metric]:
        """All metrics that have the name of the primary metric; they are several if it occurs with several settings."""
        return [metric for metric in self.metric_list() if metric.name == self.primary_metric()]

    def primary_metric(self) -> str:
        """The name of the primary metric, which decides the report's headline: the first one marked `primary`, or the first."""
        marked = [entry["name"] for entry in self.metrics if entry.get("primary")]
        return str(marked[0] if marked else self.metrics[0]["name"])


def read_text(path: Path) -> str:
    """The text of an experiment file.

    Raises:
        SettingsError: the file is missing or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path}: expected an experiment file (TOML), found none") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected TOML, got {error}") from None


def toml_content(text: str, path: Path) -> dict[str, Any]:
    """The table that an experiment file holds.

    Raises:
        SettingsError: the text is no TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{path}: expected TOML, got brackets in brackets without end") from None
    except ValueError as error:  # what TOML raises, and what Python raises of a number of thousands of digits
        raise SettingsError(f"{path}: expected TOML, got {error}") from None


def loader_of(entry: Mapping[str, Any]) -> Loader:
    """The loader of an entry, whose name may be that of a loader with what it loads, `torchvision:resnet18`, or an import path."""
    settings = {key: value for key, value in entry.items() if key not in ("output", "label")}
    name = settings.get("name")
    if isinstance(name, str) and ":" in name:
        return resolve(name, {key: value for key, value in settings.items() if key != "name"})
    loader: Loader = built(Loader, settings)
    return loader


def with_reference(metric: Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of a metric, in which the label of a reference method is replaced by that method's settings."""
    reference = metric.get("reference")
    method = methods.get(reference) if isinstance(reference, str) else None
    return dict(metric) if method is None else {**metric, "reference": dict(method)}


def unrolled(entry: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The settings and the label of each point of a method's grid, or of the method itself if it has no grid."""
    settings = {key: value for key, value in entry.items() if key not in ("label", "grid")}
    for point in _grid_points(entry.get("grid", {})):
        point_settings = _with(settings, point)
        label = entry.get("label") or method_label(built(Method, point_settings), {} if point else settings)
        values = ", ".join(f"{key.rpartition('.')[2]} {in_words(value)}" for key, value in point.items())
        yield point_settings, f"{label} ({values})" if point else label


def _grid_points(grid: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(grid, Mapping) or not all(isinstance(values, list) and values for values in grid.values()):
        raise SettingsError(f"grid: expected a table of setting = [values], got {grid!r}")
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _with(settings: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the values of a grid point; a dotted key refers to a setting of a nested table."""
    result = dict(settings)
    for path, value in point.items():
        head, _, rest = path.partition(".")
        if rest:
            inner = result.get(head, {})
            value = _with({"name": inner} if isinstance(inner, str) else inner, {rest: value})
        result[head] = value
    return result


def method_label(method: Method, settings: Mapping[str, Any]) -> str:
    """The name of a method in words with the given settings, such as `Integrated gradients (baseline white)`."""
    return method.title(settings)
