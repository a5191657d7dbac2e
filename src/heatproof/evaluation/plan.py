"""Grid → units. Pure: the same experiment, items and weights give the same units with the same keys.

A unit is model × method × seed × a batch of images × all metrics that share its maps. Its key is the hash of everything
that decides its numbers, so a changed setting recomputes and an unchanged one does not.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from heatproof.core.records import SCHEMA_VERSION
from heatproof.core.settings import content_hash
from heatproof.data.base import Item
from heatproof.data.labels import relabelled
from heatproof.evaluation.experiment import Experiment
from heatproof.methods.base import Method
from heatproof.metrics.base import Metric, ReferenceMetric
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.store.manifest import AccelerationEntry


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is kept or lost as a whole. Plain data: it travels to other processes."""

    model: dict[str, Any]
    model_digest: str
    plan: dict[str, Any]
    """How the rows are computed."""
    output: dict[str, Any]
    method: dict[str, Any]
    label: str
    metrics: tuple[dict[str, Any], ...]
    dataset: dict[str, Any]
    items: tuple[Item, ...]
    """Their labels are indices of the network's outputs; −1 where the network has no such class."""
    target: str
    seed: int
    keep: tuple[str, ...]
    """Digests of the items whose maps are kept."""
    incremental: bool
    """Whether rows with one changed rectangle may be computed in part."""
    memory: int | None
    """Bytes that a chunk of rows may take."""
    rows: int
    """Forward rows plus twice the backward rows expected, for honest progress."""

    @cached_property
    def method_digest(self) -> str:
        """The digest of the method's settings, by which records name it."""
        return content_hash(self.method)

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the unit's numbers; labels, sizes of other sets and estimates do not."""
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
        return content_hash(decides)


@dataclass(frozen=True)
class Network:
    """What the plan needs to know of a loaded model: the digest of its weights, and how its rows are computed."""

    digest: str
    plan: dict[str, Any]
    image_shape: ImageShape
    """The shape of the images that the network takes."""
    acceleration: AccelerationEntry | None = None
    """The plan with its measured speed-up and error, for the manifest."""
    class_indices: tuple[int, ...] = ()
    """The network's output for each class of the data set; empty where labels are outputs of the network already."""


def plan(experiment: Experiment, items: Sequence[Item], networks: Sequence[Network]) -> list[Unit]:
    """All units, in an order that finishes one batch of images for every seed and method before the next batch.

    `networks` are the experiment's models, in its order. The clean forward of a batch, the maps that others are compared with, and
    what metrics have in common for all methods, are work of its first unit: every process makes them once and the others share them
    (see `worker`).
    """
    metrics = experiment.metric_list()
    compared = {metric.reference.digest: metric.reference for metric in metrics if isinstance(metric, ReferenceMetric)}
    units = []
    for entry, network in zip(experiment.model_entries(), networks, strict=True):
        labelled, shape = relabelled(items, network.class_indices), network.image_shape
        common = {name: cost for metric in metrics for name, cost in metric.common_cost(shape).items()}
        for start in range(0, len(items), experiment.batch):
            batch = tuple(labelled[start : start + experiment.batch])
            keep = tuple(item.digest for item in items[start : min(start + experiment.batch, experiment.kept_maps)])
            shared = 1
            for nth, seed in enumerate(experiment.seeds):
                shared += sum(_beyond_clean(cost) for cost in common.values())
                shared += sum(_beyond_clean(method.cost(shape)) for method in compared.values() if method.stochastic or nth == 0)
                for named in experiment.method_entries():
                    rows, shared = shared + _rows(named.method, metrics, shape), 0
                    units.append(
                        Unit(
                            model=entry.loader.to_dict(),
                            model_digest=network.digest,
                            plan=network.plan,
                            output=entry.output.to_dict(),
                            method=named.method.to_dict(),
                            label=named.label,
                            metrics=tuple(metric.to_dict() for metric in metrics),
                            dataset=experiment.data().to_dict(),
                            items=batch,
                            target=experiment.target,
                            seed=seed,
                            keep=keep,
                            incremental=experiment.incremental,
                            memory=experiment.memory,
                            rows=rows * len(batch),
                        )
                    )
    return units


def total_rows(units: Sequence[Unit]) -> int:
    """Work of all units, in forward rows."""
    return sum(unit.rows for unit in units)


def _rows(method: Method, metrics: Sequence[Metric], image_shape: ImageShape) -> int:
    """Work of one image whose clean outputs are known: its map, each metric, and the further maps that metrics ask for."""
    further = {metric.cache_key: metric.explanations(method.stochastic) for metric in metrics}
    own = sum(_beyond_clean(metric.cost(image_shape)) for metric in metrics)
    return own + (1 + sum(further.values())) * _beyond_clean(method.cost(image_shape))


def _beyond_clean(cost: PassCount) -> int:
    return cost.forward - cost.clean + 2 * cost.backward
