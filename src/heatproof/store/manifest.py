"""The manifest of a run: what run.json holds, typed. The experiment engine writes it and the report reads it.

The manifest says everything about a run that is not a score: which networks, methods, metrics and images it has, with their
settings; which units belong to it; where it stopped early; and on which machine it was made.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from heatproof.core.formatting import count
from heatproof.core.records import Direction
from heatproof.core.settings import canonical_json
from heatproof.store.published import AssociationEntry, ClaimEntry, Entry, PublishedTable, SweepEntry

MANIFEST_VERSION = 7
"""Raised whenever a field changes its name or its meaning; `store/upgrade.py` reads older versions."""


class Environment(Entry):
    """The software and the machine that a run was made with."""

    heatproof: str = ""
    torch: str = ""
    python: str = ""
    cpu: str = ""
    cores: int | None = None
    device: str = ""


class DatasetEntry(Entry):
    """The settings of the data set, and what its images are called in a sentence."""

    settings: Mapping[str, Any] = {}
    label: str = ""


class TrialEntry(Entry):
    """One way to compute passes that was timed before a run: its speed-up, the error of its maps, or why it was refused."""

    label: str
    speedup: float | None = None
    map_error: float | None = None
    refused: str = ""


class AccelerationEntry(Entry):
    """How the passes of one network are computed, and what was measured to choose it."""

    precision: str
    plan: Mapping[str, Any]
    label: str
    speedup: float | None = None
    map_error: float | None = None
    folded: int = 0
    not_folded: tuple[str, ...] = ()
    tried: tuple[TrialEntry, ...] = ()


class ModelEntry(Entry):
    """One network and the scalar output that is explained. Records name a network by its name or by the digest of its weights.

    recipe  what it is one of several trainings of; empty for a network of its own.
    """

    name: str
    digest: str
    recipe: str = ""
    output: str = ""
    settings: Mapping[str, Any] = {}
    acceleration: AccelerationEntry | None = None

    @property
    def label(self) -> str:
        """The name under which tables and figures show the network."""
        return self.name

    @property
    def keys(self) -> tuple[str, str]:
        """The two names under which records may refer to the network."""
        return self.name, self.digest


class MethodEntry(Entry):
    """One method with its settings.

    key       the digest of the settings, by which records name the method.
    control   whether the method ignores the network.
    chance    whether the method is the control that stands for chance; at most one method of a run is.
    forward, backward  the passes of one map.
    """

    key: str
    name: str = ""
    label: str
    control: bool = False
    chance: bool = False
    settings: Mapping[str, Any] = {}
    cite: str = ""
    forward: float | None = None
    backward: float | None = None


class MetricEntry(Entry):
    """One metric with its settings and its class facts. An open end of `bounds` is None."""

    name: str
    label: str
    title: str
    direction: Direction
    bounds: tuple[float | None, float | None] = (None, None)
    settings: Mapping[str, Any] = {}
    meaning: str = ""
    reduction: str = ""
    cite: str = ""
    primary: bool = False
    curve_axes: tuple[str, str] = ("step", "value")
    curve_x: tuple[float, ...] = ()
    components: Mapping[str, str] = {}

    @cached_property
    def settings_key(self) -> str:
        """The canonical JSON of the settings, by which records name them."""
        return canonical_json(self.settings)


class ImageEntry(NamedTuple):
    """One image: the digest of its file, its name, and its label as the data set states it.

    A run may have fifty thousand, so that an entry is a tuple, of which run.json holds the values alone.
    """

    digest: str
    name: str
    label: int = -1
    label_name: str = ""


class UnitsEntry(Entry):
    """Units of one network, one method and one seed, each of which explains the images of one batch.

    keys  the keys of the units, with blanks between them: a run may have a hundred thousand, in several entries of a kind.

    Which images belong to a unit is said by its records.
    """

    model: str
    method: str
    seed: int
    keys: str

    @property
    def key_array(self) -> "np.ndarray[Any, Any]":
        """The keys, as bytes."""
        return np.array(self.keys.encode().split(), "S")

    def each(self) -> Iterator[str]:
        """The keys, one after another."""
        yield from (match[0] for match in re.finditer(r"\S+", self.keys))

    @classmethod
    def of(cls, units: Iterable[tuple[str, str, str, int]]) -> "tuple[UnitsEntry, ...]":
        """Entries from the key, the network, the method and the seed of each unit.

        >>> from heatproof.store.manifest import UnitsEntry
        >>> [entry.keys for entry in UnitsEntry.of([("u1", "net", "d1", 0), ("u2", "net", "d2", 0), ("u3", "net", "d1", 0)])]
        ['u1 u3', 'u2']
        """
        alike: dict[tuple[str, str, int], list[str]] = {}
        for key, model, method, seed in units:
            alike.setdefault((model, method, seed), []).append(key)
        return tuple(cls(model=kind[0], method=kind[1], seed=kind[2], keys=" ".join(keys)) for kind, keys in alike.items())


class StoppedEntry(Entry):
    """A network whose comparisons were decided before the last image, and why."""

    model: str
    output: str
    images: int
    of: int
    why: str

    def __str__(self) -> str:
        return f"{self.model} stopped after {self.images:,} of {count(self.of, 'image')}: {self.why}"


class StopEntry(Entry):
    """The rule by which a run may stop early, the looks it allows, and the networks that were stopped.

    looks  the numbers of images after which the comparisons are tested, the last one included.
    """

    against: str
    margin: float | None = None
    looks: tuple[int, ...] = Field(min_length=1)
    alpha: float
    alpha_a_look: float
    stopped: tuple[StoppedEntry, ...] = ()


class Manifest(Entry):
    """Everything that a run folder says about itself besides its scores.

    `version` is that of the manifest; every part states its own (see `store/parts.py`). `executor` says where units were computed,
    at the last start. `elapsed` is the time in seconds that the run has taken, over all its starts. `class_names` maps the index
    of a class, as text, to its name.
    """

    version: int = MANIFEST_VERSION
    name: str
    title: str = ""
    created: str = ""
    smoke: bool = False
    budget: str = ""
    target: str = "predicted"
    seeds: tuple[int, ...] = (0,)
    elapsed: float = 0.0
    executor: str = ""
    environment: Environment = Environment()
    dataset: DatasetEntry = DatasetEntry()
    models: tuple[ModelEntry, ...] = ()
    methods: tuple[MethodEntry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    images: tuple[ImageEntry, ...] = ()
    units: tuple[UnitsEntry, ...] = ()
    class_names: Mapping[str, str] = {}
    stop: StopEntry | None = None
    tables: tuple[PublishedTable, ...] = ()
    sweeps: tuple[SweepEntry, ...] = ()
    associations: tuple[AssociationEntry, ...] = ()
    claims: tuple[ClaimEntry, ...] = ()

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        repeated = sorted(label for label, n in Counter(method.label for method in self.methods).items() if n > 1)
        if repeated:
            raise ValueError(f"expected methods whose labels differ, got {', '.join(repeated)} more than once")
        return self

    @property
    def heading(self) -> str:
        """The title of the run, or its name where it has no title."""
        return self.title or self.name

    @property
    def looks(self) -> int:
        """How often the comparisons may be tested, the end included; 1 for a run that cannot stop early."""
        return len(self.stop.looks) if self.stop else 1

    def unit_keys(self) -> set[str]:
        """The keys of all units of the run."""
        return {key for entry in self.units for key in entry.each()}

    def units_of(self, model: ModelEntry) -> set[str] | None:
        """The keys of the units of a network; None if the run lists no units."""
        return {key for entry in self.units if entry.model in model.keys for key in entry.each()} if self.units else None

    def stopped(self, model: ModelEntry) -> str:
        """After how many images the network was stopped, and why; empty if it was not."""
        entries = self.stop.stopped if self.stop else ()
        stopped = (entry for entry in entries if entry.model in model.keys and entry.output == model.output)
        return next((f"after {entry.images:,} of {count(entry.of, 'image')}, since {entry.why}" for entry in stopped), "")

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where the class has no name."""
        return self.class_names.get(str(index), f"class {index}")
