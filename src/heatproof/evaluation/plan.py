"""An experiment is planned as a list of units.

A unit is one model, one method, one seed and one batch of images, with all metrics that share its maps. Its key is the hash of
everything that decides its numbers: a changed setting gives new keys, whose units are computed, and units with unchanged keys are
not computed again. The same experiment, images and weights always give the same units.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from heatproof.core.objects import code_of
from heatproof.core.records import SCHEMA_VERSION
from heatproof.core.settings import content_hash
from heatproof.data.base import Item
from heatproof.data.labels import relabelled
from heatproof.evaluation.experiment import Experiment
from heatproof.methods.base import Method
from heatproof.metrics.base import ReferenceMetric
from heatproof.metrics.metric import Metric
from heatproof.models.outputs import Logit
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.store.manifest import AccelerationEntry


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest piece of work that is stored as a whole. It consists of plain data, so that it can be sent to other processes.

    A run may have a hundred thousand. So what many units have in common is one object that all of them hold, and a unit has slots:
    a dictionary of its own, as `cached_property` needs it, takes three times the memory of all the rest.

    Attributes:
        model: the settings of the model's loader.
        model_digest: the digest of the model's weights.
        plan: the settings of the acceleration plan, by which passes are computed.
        output: the settings of the output that is explained, as `networks.output_settings` makes them.
        image_shape: the shape of the images that the network takes.
        method: the settings of the method.
        label: the label of the method.
        metrics: the settings of the metrics.
        dataset: the settings of the data set.
        items: the images.
        target: the class that is explained: `predicted` or `label`.
        seed: the seed of all random draws.
        keep: the digests of the images whose maps are stored.
        incremental: whether passes of images with one changed rectangle may be computed only in part.
        memory: the bytes that a chunk of passes may take; None for a share of the free memory.
        passes: the expected number of forward passes, for estimates and progress; a backward pass counts as two.
        model_name: the name of the model, for messages.
        model_label: the name that the experiment gives the model, under which it is recorded; empty for its own.
        code: the content hashes of the source of the objects that the run was given, such as a method of the user's own.
    """

    model: dict[str, Any]
    model_digest: str
    plan: dict[str, Any]
    output: dict[str, Any]
    image_shape: ImageShape
    method: dict[str, Any]
    label: str
    metrics: tuple[dict[str, Any], ...]
    dataset: dict[str, Any]
    items: tuple[Item, ...]
    """Their labels are indices of the network's outputs; −1 where the network has no such class."""
    target: str
    seed: int
    keep: tuple[str, ...]
    incremental: bool
    memory: int | None
    passes: int
    model_name: str
    model_label: str = ""
    code: tuple[str, ...] = ()
    _method_digest: str = field(default="", init=False, repr=False, compare=False)
    _key: str = field(default="", init=False, repr=False, compare=False)

    @property
    def method_digest(self) -> str:
        """The digest of the method's settings, by which records name it."""
        if not self._method_digest:
            object.__setattr__(self, "_method_digest", sys.intern(content_hash(self.method)))
        return self._method_digest

    @property
    def key(self) -> str:
        """The hash of everything that decides the unit's records; labels of methods, estimates and the size of the set do not."""
        if not self._key:
            object.__setattr__(self, "_key", self._computed_key())
        return self._key

    def _computed_key(self) -> str:
        decides = {
            "schema": SCHEMA_VERSION,
            "model": {k: v for k, v in self.model.items() if k != "path"},
            "weights": self.model_digest,
            "plan": self.plan,
            "incremental": self.incremental,
            "output": self.output,
            "method": self.method,
            "metrics": list(self.metrics),
            "images": [asdict(item) for item in self.items],
            "target": self.target,
            "seed": self.seed,
            "keep": list(self.keep),
        }
        decides |= {"label": self.model_label} if self.model_label else {}  # its records hold it
        return content_hash(decides | ({"code": list(self.code)} if any(self.code) else {}))


@dataclass(frozen=True)
class Network:
    """The facts about a loaded model that the plan depends on.

    Attributes:
        digest: the digest of its weights.
        plan: the settings of its acceleration plan.
        acceleration: the plan with its measured speed-up and error, for the manifest.
    """

    digest: str
    plan: dict[str, Any]
    image_shape: ImageShape
    """The shape of the images that the network takes."""
    acceleration: AccelerationEntry | None = None
    """The plan with its measured speed-up and error, for the manifest."""
    class_indices: tuple[int, ...] = ()
    """The network's output for each class of the data set; empty where labels are outputs of the network already."""
    output: Mapping[str, Any] = field(default_factory=Logit().to_dict)
    """The settings of the output that is explained."""
    name: str = ""
    """The name of the model; empty for that of its loader."""


def plan(experiment: Experiment, items: Sequence[Item], networks: Sequence[Network]) -> list[Unit]:
    """List all units, in an order that finishes a batch of images for all seeds and methods before it begins the next batch.

    The expected passes of a unit include the work that several units share (the clean forward passes of a batch, the maps of
    reference methods, what metrics compute once for all methods, and trainings) only for the first of these units: a process
    computes such work once and caches it (see `worker`).

    Args:
        experiment: the experiment.
        items: the images of the run.
        networks: the loaded models, in the order of the experiment.
    """
    metrics = experiment.metric_list()
    compared = {metric.reference.digest: metric.reference for metric in metrics if isinstance(metric, ReferenceMetric)}
    dataset, scored = experiment.data().to_dict(), tuple(metric.to_dict() for metric in metrics)
    methods = [(named, named.method.to_dict()) for named in experiment.method_entries()]
    units = []
    for entry, network in zip(experiment.model_entries(), networks, strict=True):
        loader = entry.loader.to_dict()
        labelled, shape = relabelled(items, network.class_indices), network.image_shape
        common = {name: cost for metric in metrics for name, cost in metric.common_cost(shape).items()}
        output = dict(network.output) if entry.output is None else entry.output.to_dict()
        code = [tuple(map(code_of, (loader, dataset, settings, *scored))) for _, settings in methods]
        beyond = [map_passes(named.method, metrics, shape) for named, _ in methods]
        for start in range(0, len(items), experiment.batch):
            batch = tuple(labelled[start : start + experiment.batch])
            kept_maps = experiment.kept_maps if len(shape) < 4 else 0  # maps of volumes have no picture in a report
            trained = [cost for metric in metrics if not start and (cost := metric.retraining(shape)) is not None]
            keep = tuple(item.digest for item in items[start : min(start + experiment.batch, kept_maps)])
            shared, once = 1, sum({cost.common_key: _beyond_clean(cost.common) for cost in trained}.values())
            for nth, seed in enumerate(experiment.seeds):
                shared += sum(_beyond_clean(cost) for cost in common.values())
                shared += sum(_beyond_clean(method.cost(shape)) for method in compared.values() if method.stochastic or nth == 0)
                for index, (named, settings) in enumerate(methods):
                    passes, shared = shared + beyond[index], 0
                    once += sum(_beyond_clean(cost.own) for cost in trained)
                    once += sum({c.images_key: c.images for c in trained}.values()) * (1 + _beyond_clean(named.method.cost(shape)))
                    units.append(
                        Unit(
                            model=loader,
                            model_digest=network.digest,
                            plan=network.plan,
                            output=output,
                            image_shape=shape,
                            method=settings,
                            label=named.label,
                            metrics=scored,
                            dataset=dataset,
                            items=batch,
                            target=experiment.target,
                            seed=seed,
                            keep=keep,
                            incremental=experiment.incremental,
                            memory=experiment.memory,
                            passes=passes * len(batch) + once,
                            model_name=network.name or entry.loader.name,
                            model_label=entry.label if entry.training is None else network.name,
                            code=code[index],
                        )
                    )
                    once = 0
    return units


def total_passes(units: Sequence[Unit]) -> int:
    """The expected number of forward passes of all units; a backward pass counts as two."""
    return sum(unit.passes for unit in units)


def map_passes(method: Method, metrics: Sequence[Metric], image_shape: ImageShape) -> int:
    """The expected passes of one image beyond its clean forward pass: for its map, its scores, and the metrics' further maps."""
    further = {metric.cache_key: metric.explanations(method.stochastic) for metric in metrics}
    own = sum(_beyond_clean(metric.cost(image_shape)) for metric in metrics)
    return own + (1 + sum(further.values())) * _beyond_clean(method.cost(image_shape))


def _beyond_clean(cost: PassCount) -> int:
    return cost.forward - cost.clean + 2 * cost.backward
