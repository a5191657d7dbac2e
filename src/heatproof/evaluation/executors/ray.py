"""Computation in the processes of a Ray cluster, on this machine or on many."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from heatproof.core.errors import SettingsError, StorageError, UsageError
from heatproof.core.objects import packed
from heatproof.core.settings import canonical_json
from heatproof.evaluation.broadcast import SentNetwork, network
from heatproof.evaluation.executors.base import Outcomes, UnitOutcome, Work, failure_of
from heatproof.evaluation.executors.local import Batch, PendingUnits, available_cores
from heatproof.evaluation.executors.ray_cluster import STARTS, check_installed, connect
from heatproof.evaluation.executors.ray_worker import RayWorker, Start, WorkerPlace
from heatproof.evaluation.manifest import installed_version
from heatproof.evaluation.plan import Unit

IN_FLIGHT = 2
"""The most units that a process has at once: the one that it computes, and the next."""
RETRIES = 3
"""How often a unit is computed again after its process has died, on whichever machine."""
FULL = 90.0
"""The share of a machine's memory, in per cent, from which only one of its processes gets further units."""
TICK, PATIENCE = 0.5, 60.0
"""The seconds between two looks at time limits, and those after which it is said that no process has started."""

log = logging.getLogger("heatproof")


class RayExecutor:
    """An executor that computes units in the processes of a Ray cluster. Each keeps its network and a batch of images.

    Networks are sent to the cluster once. Your own modules, from the working directory, are sent to a cluster that was there
    already. The folder of the run must be one that all machines see, as must the images, unless they are given as objects. A unit
    whose process dies, or whose machine is lost, is computed again elsewhere, three times at most; a unit that takes too long is
    stopped and fails.

    Args:
        workers: the number of processes; by default, as many as the cluster has processors or GPUs for.
        timeout: the seconds after which a unit is stopped and fails; by default, there is no limit.
        address: the address of a cluster that is there already, such as `auto`; by default that of RAY_ADDRESS, or else a cluster
            of this machine alone is started, which ends with this process.
        cpus: the processors that each process takes, which are its threads.
        gpus: the GPUs that each process takes, or the share of one, to which networks are then moved; 0 computes on processors.
        retries: how often a unit is computed again after its process has died.

    Raises:
        SettingsError: a number is out of range.
        UsageError: Ray is not installed.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout: float | None = None,
        address: str | None = None,
        *,
        cpus: int = 1,
        gpus: float = 0.0,
        retries: int = RETRIES,
    ) -> None:
        for setting, value, least in (("workers", workers, 1), ("cpus", cpus, 1), ("gpus", gpus, 0), ("retries", retries, 0)):
            if value is not None and value < least:
                raise SettingsError(f"{setting}: expected at least {least}, got {value}")
        if gpus > 1 and gpus != int(gpus):
            raise SettingsError(f"gpus: expected a share of one GPU or a whole number, got {gpus}")
        check_installed()
        self.workers, self.timeout, self.address = workers, timeout, address
        self.cpus, self.gpus, self.retries = cpus, gpus, retries

    @property
    def label(self) -> str:
        counted = f", in {self.workers} process{'es' if self.workers > 1 else ''}" if self.workers else ""
        return f"ray{counted}" + (f", each with {self.gpus:g} GPU" if self.gpus else "")

    def preparing(self, folder: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> None:
        pass

    def compute(self, work: Work, folder: Path, rounds: Iterable[Sequence[Unit]]) -> Outcomes:
        crew: _Crew | None = None
        try:
            for units in rounds:
                if units:
                    crew = crew or _Crew(self, work, folder.absolute())
                    yield from crew.compute(units)
        finally:
            if crew is not None:
                crew.dismiss()


@dataclass(eq=False)
class _Process:
    """A process: its actor, the reference to its start until it has started, and its units, of which it computes the first."""

    actor: Any
    starting: Any
    starts: int = 1
    """How often it was started in a row, itself and those in whose place it came."""
    node: str = ""
    batch: Batch | None = None
    queue: deque[tuple[Any, Unit]] = field(default_factory=deque)
    since: float = 0.0

    @property
    def awaited(self) -> Any:
        """What it is to answer next; None if nothing."""
        return self.starting if self.starting is not None else self.queue[0][0] if self.queue else None


class _Crew:
    """The processes of a run, and what they have in hand."""

    def __init__(self, executor: RayExecutor, work: Work, folder: Path) -> None:
        self._executor, self._work = executor, work
        objects = packed("ray")
        own = (executor.workers or available_cores()) * executor.cpus
        self._ray: ModuleType = connect(executor.address, max(own, available_cores()))
        self._actor = self._ray.remote(RayWorker).options(
            num_cpus=executor.cpus, num_gpus=executor.gpus or None, max_restarts=0, scheduling_strategy="SPREAD"
        )
        self._objects = self._ray.put(objects)
        self._place = WorkerPlace(folder, str(Path.cwd()), installed_version("heatproof"), executor.cpus, bool(executor.gpus))
        self._networks: dict[str, list[Any]] = {}
        self._wanted = self._number()
        self._processes: list[_Process] = []
        self._deaths: dict[str, int] = {}
        self._memory: dict[str, float] = {}
        self._last_start = time.monotonic()
        self._refusal = ""

    def compute(self, units: Sequence[Unit]) -> Iterator[UnitOutcome]:
        """Compute the units of a round."""
        while len(self._processes) < self._wanted:
            self._processes.append(self._started())
        pending = PendingUnits(units)
        while pending or any(each.queue for each in self._processes):
            self._hand_out(pending)
            yield from self._collect(pending)

    def dismiss(self) -> None:
        """End all processes."""
        for each in self._processes:
            self._end(each)
        self._processes.clear()

    def _sent(self, unit: Unit) -> list[Any]:
        """The reference to a unit's network, which is sent once; nothing if it cannot be."""
        if unit.model_digest not in self._networks:
            sent = SentNetwork.of(network(canonical_json(unit.model), unit.model_digest))
            self._networks[unit.model_digest] = [] if sent is None else [self._ray.put(sent)]
        return self._networks[unit.model_digest]

    def _number(self) -> int:
        executor, offered = self._executor, self._ray.cluster_resources()
        fits = int(offered.get("CPU", 0) // executor.cpus)
        if executor.gpus:
            fits = min(fits, int(offered.get("GPU", 0) / executor.gpus + 1e-6))
        if not fits:
            wanted = f"{executor.cpus} processors" + (f" and {executor.gpus:g} GPU" if executor.gpus else "")
            raise UsageError(
                f'executor="ray": expected a cluster with {wanted} for a process, got {offered.get("CPU", 0):g} processors and '
                f"{offered.get('GPU', 0):g} GPUs; ask for less"
            )
        return executor.workers or fits

    def _started(self, starts: int = 1) -> _Process:
        actor = self._actor.remote(self._place, self._objects)
        return _Process(actor, actor.start.remote(), starts)

    def _hand_out(self, pending: PendingUnits) -> None:
        """Give units to processes: one to each, then the next one, as long as there is one for each that is to come."""
        for held in range(IN_FLIGHT):
            for process in self._processes:
                few = held > 0 and len(pending) < len(self._processes)
                if pending and not few and process.starting is None and len(process.queue) == held and self._has_memory(process):
                    unit, process.batch = pending.take(process.batch, [each.batch for each in self._processes])
                    if not process.queue:
                        process.since = time.monotonic()
                    process.queue.append((process.actor.compute.remote(self._work, unit, self._sent(unit)), unit))

    def _has_memory(self, process: _Process) -> bool:
        """Whether the machine of a process has memory left, or no other process of it is busy."""
        beside = [each for each in self._processes if each is not process and each.node == process.node and each.queue]
        return self._memory.get(process.node, 0.0) < FULL or not (beside or process.queue)

    def _collect(self, pending: PendingUnits) -> Iterator[UnitOutcome]:
        """The outcomes of the units that have ended."""
        awaited = {each.awaited: each for each in self._processes if each.awaited is not None}
        done, _ = self._ray.wait(list(awaited), num_returns=1, timeout=TICK)
        for reference in done:
            process = awaited[reference]
            if process.starting is not None:
                self._take_start(process)
            else:
                yield from self._take_unit(process, pending)
        for process in self._processes:
            limit = self._executor.timeout
            if limit is not None and process.queue and time.monotonic() - process.since > limit:
                unit = self._taken_back(process, pending)
                yield UnitOutcome(
                    unit, failure_of(unit, TimeoutError(f"the unit took longer than {limit} s and was stopped")), lost=True
                )
        if not done and all(each.starting is not None for each in self._processes):
            self._say_that_none_starts()

    def _take_start(self, process: _Process) -> None:
        try:
            started: Start = self._ray.get(process.starting)
        except Exception as error:  # of Ray's own, or of the import of a module in the process
            if process.starts < STARTS and _has_died(error):
                self._replace(process, process.starts + 1)
                return
            times = f" {process.starts} times" if process.starts > 1 else ""
            started = Start("", f"a process that starts, got{times} {type(error).__name__}: {' '.join(str(error).split()):.400}")
        process.starting, process.node = None, started.node
        if started.refusal:
            self._end(process)
            self._processes.remove(process)
            self._wanted -= 1
            if not self._processes:
                raise UsageError(f'executor="ray": expected {started.refusal}')
            if started.refusal != self._refusal:
                log.warning("a process is left out: expected %s", started.refusal)
                self._refusal = started.refusal

    def _take_unit(self, process: _Process, pending: PendingUnits) -> Iterator[UnitOutcome]:
        reference, unit = process.queue[0]
        try:
            ended = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # the process lives, and could not read the unit
            process.queue.popleft()
            if isinstance(error.cause, StorageError):  # nor could any other unit be stored
                raise error.cause from None
            yield UnitOutcome(unit, failure_of(unit, error), lost=True)
        except self._ray.exceptions.RayError as error:  # the process or its machine is gone
            self._taken_back(process, pending)
            self._deaths[unit.key] = deaths = self._deaths.get(unit.key, 0) + 1
            if deaths <= self._executor.retries:
                pending.put_back(unit)
                return
            times = f"{deaths} times, the last time for this reason" if deaths > 1 else "for this reason"
            reason = RuntimeError(f"the unit's process died {times}: {' '.join(str(error).split()):.500}")
            yield UnitOutcome(unit, failure_of(unit, reason), lost=True)
        else:
            process.queue.popleft()
            self._memory[process.node] = ended.memory
            yield UnitOutcome(unit, ended.failure)
        process.since = time.monotonic()

    def _taken_back(self, process: _Process, pending: PendingUnits) -> Unit:
        """End a process and start another in its place; its further units are pending again. Returns the unit that it computed."""
        (_, unit), *further = process.queue
        for _, each in reversed(further):
            pending.put_back(each)
        self._replace(process)
        return unit

    def _replace(self, process: _Process, starts: int = 1) -> None:
        self._end(process)
        self._processes[self._processes.index(process)] = self._started(starts)

    def _end(self, process: _Process) -> None:
        with suppress(Exception):  # it may have ended
            self._ray.kill(process.actor, no_restart=True)

    def _say_that_none_starts(self) -> None:
        if time.monotonic() - self._last_start > PATIENCE:
            self._last_start = time.monotonic()
            log.info("waiting for the cluster: no process has started yet; `ray status` says what it is busy with")


def _has_died(error: Exception) -> bool:
    """Whether an error says that a process or its machine was lost, and not that the process raised an exception."""
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError) and not error.actor_init_failed
