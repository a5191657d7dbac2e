"""The process of a Ray cluster that computes units: an actor, which keeps its network and its batch from one unit to the next."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from heatproof.core.objects import receive, unpack
from heatproof.core.records import Failure
from heatproof.evaluation import broadcast
from heatproof.evaluation.executors.base import Work, outcome_of
from heatproof.evaluation.plan import Unit


@dataclass(frozen=True)
class Start:
    """What a process says of itself when it has started.

    Attributes:
        node: the machine that it is on, by Ray's name.
        refusal: why it cannot compute units of this run; empty if it can.
    """

    node: str
    refusal: str = ""


@dataclass(frozen=True)
class Ended:
    """How a unit ended.

    Attributes:
        failure: why it failed; None if it wrote its part.
        memory: the share of the machine's memory that is taken, in per cent.
    """

    failure: Failure | None
    memory: float


@dataclass(frozen=True)
class WorkerPlace:
    """What a process needs to know of the run.

    Attributes:
        folder: the folder of the run, an absolute path.
        directory: the working directory of the process that started the run.
        version: the version of heatproof there.
        threads: the number of threads of each process.
        gpu: whether networks are moved to the GPU.
    """

    folder: Path
    directory: str
    version: str
    threads: int
    gpu: bool


def _fetched(reference: Any) -> broadcast.SentNetwork:
    import ray

    sent: broadcast.SentNetwork = ray.get(reference)
    return sent


class RayWorker:
    """An actor. `objects` are those that the run was given, pickled (`core/objects.py`)."""

    def __init__(self, place: WorkerPlace, objects: bytes) -> None:
        self._place, self._objects = place, objects

    def start(self) -> Start:
        """Make ready, and say where this is."""
        import ray
        import torch

        from heatproof.passes.memory import keep_freed_memory

        place, node = self._place, ray.get_runtime_context().get_node_id()
        if Path(place.directory).is_dir():
            os.chdir(place.directory)
        refusal = self._refusal()
        if refusal:
            return Start(node, refusal)
        receive(self._objects)
        unpack()
        if place.gpu:
            broadcast.put_networks_on("cuda")
        torch.set_num_threads(place.threads)
        keep_freed_memory()
        return Start(node)

    def compute(self, work: Work, unit: Unit, networks: Sequence[Any]) -> Ended:
        """Compute a unit. `networks` holds the reference to its network, or nothing if that was not sent."""
        import psutil

        for reference in networks:
            broadcast.receive(unit.model_digest, partial(_fetched, reference))
        outcome = outcome_of(work, self._place.folder, unit)
        return Ended(outcome.failure, psutil.virtual_memory().percent)

    def _refusal(self) -> str:
        import platform

        import torch

        from heatproof.evaluation.manifest import installed_version

        place, host, version = self._place, platform.node(), installed_version("heatproof")
        if version != place.version:
            return f"heatproof {place.version} on {host}, got {version}; install the same version on all machines"
        if not place.folder.is_dir():
            return f"a folder of the run that all machines see, got none at {place.folder} on {host}; choose one with --out"
        if place.gpu and not torch.cuda.is_available():
            return f"a GPU that torch can use on {host}, got none; leave --gpus out, or install torch for it there"
        return ""
