"""An experiment is planned as a list of units.

A unit is one model, one method, one seed and one batch of images, with all metrics that share its maps. Its key is the hash of
everything that decides its numbers: a changed setting gives new keys, whose units are computed, and units with unchanged keys are
not computed again. The same experiment, images and weights always give the same units.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, overload

import numpy as np

from heatproof.core.objects import code_of
from heatproof.core.records import SCHEMA_VERSION
from heatproof.core.settings import content_hash
from heatproof.data.base import Item
from heatproof.data.labels import relabelled
from heatproof.evaluation.experiment import Experiment, ModelChoice
from heatproof.methods.base import Method
from heatproof.metrics.base import ReferenceMetric
from heatproof.metrics.metric import Metric
from heatproof.models.outputs import Logit
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.store.manifest import AccelerationEntry

Array = np.ndarray[Any, Any]
AT_ONCE = 4_096
"""The most units of which numbers are in memory together."""


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is stored as a whole. It consists of plain data, so that it can be sent to other processes.

    Attributes:
        model: the settings of the model's loader.
        model_digest: the digest of the model's weights.
        plan: the settings of the acceleration plan, by which passes are computed.
        output: the settings of the output that is explained, as `networks.output_settings` makes them.
        image_shape: the shape of the images that the network takes.
        method: the settings of the method.
        method_digest: the digest of these settings, by which records name the method.
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
        key: the hash of everything that decides the unit's records; labels of methods, estimates and the size of the set do not.
    """

    model: dict[str, Any]
    model_digest: str
    plan: dict[str, Any]
    output: dict[str, Any]
    image_shape: ImageShape
    method: dict[str, Any]
    method_digest: str
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
    model_label: str
    code: tuple[str, ...]
    key: str


def unit_key(fields: Mapping[str, Any]) -> str:
    """The key of a unit that has these fields."""
    decides = {
        "schema": SCHEMA_VERSION,
        "model": {k: v for k, v in fields["model"].items() if k != "path"},
        "weights": fields["model_digest"],
        "images": [asdict(item) for item in fields["items"]],
        **{name: fields[name] for name in ("plan", "incremental", "output", "method", "metrics", "target", "seed", "keep")},
    }
    decides |= {"label": fields["model_label"]} if fields["model_label"] else {}  # its records hold it
    return content_hash(decides | ({"code": fields["code"]} if any(fields["code"]) else {}))


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


@dataclass(frozen=True)
class _NetworkUnits:
    """The units of one network.

    Attributes:
        common: the fields that all of them share.
        items: the images, with the labels of the network.
        kept: the number of images whose maps are stored.
        methods: the fields that depend on the method, for each method.
        passes: the passes of one image, by seed and method.
        once: the passes that come once in a run, by seed and method.
    """

    common: Mapping[str, Any]
    items: Sequence[Item]
    kept: int
    methods: Sequence[Mapping[str, Any]]
    passes: Array
    once: Array


class _Grid:
    """All units of an experiment: networks × batches of images × seeds × methods, in this order."""

    def __init__(self, networks: Sequence[_NetworkUnits], batch: int, seeds: Sequence[int]) -> None:
        self.networks, self.batch, self.seeds = networks, batch, seeds
        self.images, methods = len(networks[0].items), len(networks[0].methods)
        self.shape = len(networks), -(-self.images // batch), len(seeds), methods
        self._digests = np.zeros((math.prod(self.shape), 16), np.uint8)  # what the keys say in hexadecimal digits

    def unit(self, place: int) -> Unit:
        rest, method = divmod(place, self.shape[3])
        rest, seed = divmod(rest, self.shape[2])
        nth, batch = divmod(rest, self.shape[1])
        network, start = self.networks[nth], batch * self.batch
        items = tuple(network.items[start : start + self.batch])
        fields = {
            **network.common,
            **network.methods[method],
            "items": items,
            "seed": self.seeds[seed],
            "keep": tuple(item.digest for item in items[: max(network.kept - start, 0)]),
        }
        if not self._digests[place].any():
            self._digests[place] = np.frombuffer(bytes.fromhex(unit_key(fields)), np.uint8)
        passes = network.passes[seed, method] * len(items) + network.once[seed, method] * (batch == 0)
        return Unit(**fields, passes=int(passes), key=self._digests[place].tobytes().hex())

    def keys(self, places: Array) -> str:
        for place in places[~self._digests[places].any(axis=1)]:
            self.unit(int(place))
        return self._digests[places].tobytes().hex(" ", 16)


class PlannedUnits(Sequence[Unit]):
    """Units of a run, in order. Each is made when it is asked for, so that a plan of a hundred thousand takes no memory.

    `keys`, `networks`, `images` and `passes` are arrays with one entry for each unit.
    """

    def __init__(self, grid: _Grid, places: Array) -> None:
        self._grid, self._places = grid, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Unit: ...

    @overload
    def __getitem__(self, at: slice) -> "PlannedUnits": ...

    def __getitem__(self, at: int | slice) -> "Unit | PlannedUnits":
        return self.where(at) if isinstance(at, slice) else self._grid.unit(int(self._places[at]))

    def where(self, chosen: "Array | slice | Callable[[PlannedUnits], Array]") -> "PlannedUnits":
        """The units for which an array is true, or what a function says of some units at a time."""
        if callable(chosen):
            chosen = np.concatenate([np.zeros(0, np.bool_), *map(chosen, self.blocks())])
        if not isinstance(chosen, slice) and chosen.all():
            return self
        return PlannedUnits(self._grid, self._places[chosen])

    def blocks(self) -> "Iterator[PlannedUnits]":
        """The units, some at a time: an array for all of them would be the largest thing that a run holds."""
        for start in range(0, len(self), AT_ONCE):
            yield self[start : start + AT_ONCE]

    @property
    def keys(self) -> Array:
        """The keys, as bytes."""
        return np.array(self.key_text.encode().split(), "S32")

    @property
    def key_text(self) -> str:
        """The keys, with blanks between them."""
        return self._grid.keys(self._places)

    @property
    def networks(self) -> Array:
        """The positions of the networks in the experiment."""
        return self._axes()[0]

    @property
    def images(self) -> Array:
        """The number of images of the run up to the last one of each unit."""
        images: Array = np.minimum((self._axes()[1] + 1) * self._grid.batch, self._grid.images)
        return images

    @property
    def passes(self) -> Array:
        """The expected numbers of forward passes; a backward pass counts as two."""
        network, batch, seed, method = self._axes()
        each, once = (np.stack([getattr(n, name) for n in self._grid.networks]) for name in ("passes", "once"))
        at, size = (network, seed, method), self.images - batch * self._grid.batch
        passes: Array = each[at] * size + once[at] * (batch == 0)
        return passes

    def _axes(self) -> tuple[Array, ...]:
        return np.unravel_index(self._places, self._grid.shape)

    def by_kind(self) -> "Iterator[PlannedUnits]":
        """The units of each network, seed and method, which differ in their images only."""
        network, _, seed, method = self._axes()
        kinds = (network * self._grid.shape[2] + seed) * self._grid.shape[3] + method
        yield from (self.where(kinds == kind) for kind in np.unique(kinds))


def plan(experiment: Experiment, items: Sequence[Item], networks: Sequence[Network]) -> PlannedUnits:
    """List all units, in an order that finishes a batch of images for all seeds and methods before it begins the next batch.

    The expected passes of a unit include the work that several units share (the clean forward passes of a batch, the maps of
    reference methods, what metrics compute once for all methods, and trainings) only for the first of these units: a process
    computes such work once and caches it (see `worker`).

    Args:
        experiment: the experiment.
        items: the images of the run.
        networks: the loaded models, in the order of the experiment.
    """
    pairs = zip(experiment.model_entries(), networks, strict=True)
    grid = _Grid([_network_units(experiment, items, *pair) for pair in pairs], experiment.batch, experiment.seeds)
    return PlannedUnits(grid, np.arange(math.prod(grid.shape), dtype=np.int32))


def _network_units(experiment: Experiment, items: Sequence[Item], entry: ModelChoice, network: Network) -> _NetworkUnits:
    metrics, shape, seeds = experiment.metric_list(), network.image_shape, len(experiment.seeds)
    choices = [(choice, choice.method.to_dict()) for choice in experiment.method_entries()]
    loader, dataset, scored = entry.loader.to_dict(), experiment.data().to_dict(), tuple(metric.to_dict() for metric in metrics)
    own = [map_passes(choice.method, metrics, shape) for choice, _ in choices]
    passes, once = np.tile(own, (seeds, 1)), np.zeros((seeds, len(choices)), int)
    passes[0, 0] += 1  # the clean forward pass
    passes[:, 0] += sum(
        {name: _beyond_clean(cost) for metric in metrics for name, cost in metric.common_cost(shape).items()}.values()
    )
    for reference in {
        metric.reference.digest: metric.reference for metric in metrics if isinstance(metric, ReferenceMetric)
    }.values():
        passes[: None if reference.stochastic else 1, 0] += _beyond_clean(reference.cost(shape))
    trained = [cost for metric in metrics if (cost := metric.retraining(shape)) is not None]
    images = sum({cost.images_key: cost.images for cost in trained}.values())
    once += [images * (1 + _beyond_clean(choice.method.cost(shape))) for choice, _ in choices]
    once += sum(_beyond_clean(cost.own) for cost in trained)
    once[0, 0] += sum({cost.common_key: _beyond_clean(cost.common) for cost in trained}.values())
    return _NetworkUnits(
        common={
            "model": loader,
            "model_digest": network.digest,
            "plan": network.plan,
            "output": dict(network.output) if entry.output is None else entry.output.to_dict(),
            "image_shape": shape,
            "metrics": scored,
            "dataset": dataset,
            "target": experiment.target,
            "incremental": experiment.incremental,
            "memory": experiment.memory,
            "model_name": network.name or entry.loader.name,
            "model_label": entry.label if entry.training is None else network.name,
        },
        items=relabelled(items, network.class_indices),
        kept=experiment.kept_maps if len(shape) < 4 else 0,  # maps of volumes have no picture in a report
        methods=[
            {
                "method": settings,
                "method_digest": content_hash(settings),
                "label": choice.label,
                "code": tuple(map(code_of, (loader, dataset, settings, *scored))),
            }
            for choice, settings in choices
        ],
        passes=passes,
        once=once,
    )


def total_passes(units: PlannedUnits) -> int:
    """The expected number of forward passes of all units; a backward pass counts as two."""
    return sum(int(some.passes.sum()) for some in units.blocks())


def map_passes(method: Method, metrics: Sequence[Metric], image_shape: ImageShape) -> int:
    """The expected passes of one image beyond its clean forward pass: for its map, its scores, and the metrics' further maps."""
    further = {metric.cache_key: metric.explanations(method.stochastic) for metric in metrics}
    own = sum(_beyond_clean(metric.cost(image_shape)) for metric in metrics)
    return own + (1 + sum(further.values())) * _beyond_clean(method.cost(image_shape))


def _beyond_clean(cost: PassCount) -> int:
    return cost.forward - cost.clean + 2 * cost.backward
