"""The manifest of a run is assembled from its experiment, its images, its networks and its units."""

import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from heatproof.core.formatting import count, sentence_case
from heatproof.data.base import Dataset, Item
from heatproof.evaluation.experiment import Experiment, MetricChoice, ModelChoice
from heatproof.evaluation.plan import Network, PlannedUnits
from heatproof.evaluation.stopping import chance_of
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape
from heatproof.store import Manifest
from heatproof.store.manifest import DatasetEntry, Environment, ImageEntry, MethodEntry, MetricEntry, ModelEntry, UnitsEntry


def run_manifest(
    experiment: Experiment, dataset: Dataset, images: int, networks: Sequence[tuple[Model, Network]], executor: str
) -> Manifest:
    """The manifest of a run of so many images that is about to start, without its images and units. An infinite bound of a metric
    becomes None.
    """
    models = [model for model, _ in networks]
    class_names = models[0].class_names or dataset.class_names
    largest = max((network.image_shape for _, network in networks), key=math.prod)
    return Manifest(
        name=experiment.name,
        title=experiment.title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        smoke=experiment.smoke,
        budget=experiment.budget,
        target=experiment.target,
        seeds=experiment.seeds,
        environment=_environment(models[0]),
        dataset=DatasetEntry(settings=dataset.to_dict(), label=_counted(images, dataset.name)),
        models=tuple(_model(*each) for each in zip(experiment.model_entries(), networks, strict=True)),
        executor=executor,
        methods=tuple(_methods(experiment, largest)),
        metrics=tuple(_metric(choice, experiment.primary_metric()) for choice in experiment.metric_entries()),
        class_names={str(i): name for i, name in enumerate(class_names)},
        tables=experiment.tables,
        sweeps=experiment.sweeps,
        associations=experiment.associations,
        claims=experiment.claims,
    )


def image_entries(items: Sequence[Item], dataset: Dataset, manifest: Manifest) -> Iterator[ImageEntry]:
    """The images that belong to a run, one after another."""
    names = dataset.class_names or tuple(manifest.class_names.values())
    for item in items:
        name = names[item.label] if 0 <= item.label < len(names) else ""
        yield ImageEntry(digest=item.digest, name=item.name, label=item.label, label_name=name)


def unit_entries(units: PlannedUnits, names: Mapping[str, str]) -> Iterator[UnitsEntry]:
    """The units that belong to a run, some of a kind after others; `names` maps the digest of a network's weights to its name."""
    for alike in chain.from_iterable(some.by_kind() for some in units.blocks()):
        first = alike[0]
        yield UnitsEntry(model=names[first.model_digest], method=first.method_digest, seed=first.seed, keys=alike.key_text)


def _environment(model: Model) -> Environment:
    return Environment(
        heatproof=installed_version("heatproof"),
        torch=installed_version("torch"),
        python=platform.python_version(),
        cpu=_cpu(),
        cores=os.cpu_count(),
        device=str(model.device),
    )


def _model(choice: ModelChoice, loaded: tuple[Model, Network]) -> ModelEntry:
    model, network = loaded
    return ModelEntry(
        name=model.name,
        digest=model.digest,
        recipe=choice.recipe_of(model.name),
        output=str(network.output["name"]),
        settings=choice.loader.to_dict(),
        acceleration=network.acceleration,
    )


def _methods(experiment: Experiment, image_shape: ImageShape) -> Iterator[MethodEntry]:
    choices = list(experiment.method_entries())
    chance = chance_of([choice.method for choice in choices])
    for index, choice in enumerate(choices):
        method, cost = choice.method, choice.method.cost(image_shape)
        yield MethodEntry(
            key=method.digest,
            name=method.name,
            label=choice.label,
            control=method.control,
            chance=index == chance,
            settings=method.to_dict(),
            cite=method.cite,
            forward=cost.forward,
            backward=cost.backward,
        )


def _metric(choice: MetricChoice, primary: str) -> MetricEntry:
    metric = choice.metric
    full = metric.title or metric.name.replace("_", " ")
    low, high = (None if math.isinf(bound) else bound for bound in metric.bounds)
    axes = {"curve_axes": metric.axes} if metric.axes else {}
    return MetricEntry(
        name=metric.name,
        label=choice.label,
        title=sentence_case(full if choice.label == metric.label else choice.label),
        direction=metric.direction,
        bounds=(low, high),
        settings=metric.to_dict(),
        cite=metric.cite,
        primary=metric.name == primary,
        meaning=metric.caption,
        reduction=str(metric.reduction),
        curve_x=tuple(metric.curve_at),
        components=dict(metric.component_meanings),
        **axes,
    )


def _counted(n: int, name: str) -> str:
    """The images of a data set of that name, in words."""
    nouns = {"photos": "photograph", "digits": "digit"} | dict.fromkeys(
        ("arrays", "folder", "given_images", "image_folder"), "image"
    )
    return count(n, nouns[name]) if name in nouns else f"{count(n, 'image')} of {name.replace('_', ' ')}"


def installed_version(package: str) -> str:
    """The version of a package; `unknown` if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
