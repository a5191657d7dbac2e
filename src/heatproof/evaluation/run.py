"""The run of an experiment: plan its units, compute those that are not stored yet, and record the failures."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from heatproof.core.errors import StorageError
from heatproof.core.records import Failure
from heatproof.evaluation.checks import check_items, check_networks
from heatproof.evaluation.executors.base import Executor, UnitOutcome
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.manifest import image_entries, run_manifest, unit_entries
from heatproof.evaluation.networks import load_networks
from heatproof.evaluation.plan import Unit, plan
from heatproof.evaluation.schedule import Schedule
from heatproof.evaluation.worker import compute_unit, forget
from heatproof.store import Run
from heatproof.store.atomic import check_folder, check_links, write_atomically
from heatproof.store.manifest import StoppedEntry
from heatproof.store.manifest_file import read_head
from heatproof.store.run_log import log_of


@dataclass(frozen=True)
class Progress:
    """The progress of a run. The totals become smaller when a model is stopped early.

    Attributes:
        done: the number of finished units.
        total: the number of units of the run.
        passes: the forward passes that this start has computed; a backward pass counts as two.
        total_passes: the forward passes of all units that were not stored at this start.
        last: the unit that has just finished; None if none has.
        stopped: the models that have just been stopped.
    """

    done: int
    total: int
    passes: int
    total_passes: int
    last: Unit | None = None
    stopped: tuple[StoppedEntry, ...] = ()


@dataclass(frozen=True)
class RunSummary:
    """The summary of a finished run.

    Attributes:
        path: the folder of the run.
        computed: the number of units that this start computed.
        resumed: the number of units that an earlier start had stored.
        failures: the units that failed.
        refused: the images that were refused.
        stopped: the models that were stopped early.
        set_aside: the files of an earlier start that could not be used, whose units were computed anew.
        seconds: the duration of this start.
        executor: where the units were computed: in this process, or in how many processes.
    """

    path: Path
    computed: int
    resumed: int
    failures: tuple[Failure, ...]
    refused: tuple[Failure, ...]
    stopped: tuple[StoppedEntry, ...]
    set_aside: tuple[Failure, ...]
    seconds: float
    executor: str = ""


def run_experiment(
    experiment: Experiment,
    folder: Path,
    executor: Executor,
    progress: Callable[[Progress], None] = lambda _: None,
    source: str = "",
) -> RunSummary:
    """Compute all units of an experiment that its folder lacks; a run that is killed and started again ends with the same records.

    Args:
        experiment: the experiment.
        folder: the folder of the run. Results of other settings that are already in it are left unchanged.
        executor: the executor that computes the units.
        progress: a function that is called at the start, after every unit, and when a model is stopped early.
        source: the text of the experiment file, which is stored with the run.

    Raises:
        DataError: the data set is empty, cannot be listed, or lacks the regions or labels that are needed.
        ModelError: a network cannot be loaded, or lacks what a metric needs.
        SettingsError: settings of a metric do not fit the images or a network.
        StorageError: a result cannot be stored, as on a full disk.
        UsageError: the folder of the run cannot be written.
    """
    started = time.perf_counter()
    dataset = experiment.data()
    items = dataset.items()
    check_items(experiment, dataset, items)
    for name in ("", "parts", "maps", "images", "failed", "refused"):
        check_folder(folder / name)
    check_links(folder)
    store = Run.create(folder)

    def write_manifest(elapsed: float) -> None:
        now = manifest.model_copy(update={"elapsed": elapsed, "stop": schedule.stop_entry()})
        store.write_manifest(now, image_entries(items, dataset, manifest), unit_entries(schedule.units, names))

    with executor.preparing(folder):
        set_aside = store.set_aside()
        previous = read_head(folder / "run.json") if store.exists else None
        elapsed = previous.elapsed if previous else 0.0
        if previous is None and experiment.precision == "plain":  # no plan of acceleration is timed
            executor.begin()
        networks = load_networks(experiment, dataset, items, previous)
        if previous is None:
            executor.begin()
        check_networks(experiment, dataset, items, networks)
        units = plan(experiment, items, [network for _, network in networks])
        manifest = run_manifest(experiment, dataset, len(items), networks, executor.label)
        names = {model.digest: model.name for model, _ in networks}
        schedule = Schedule(experiment, items, units, names, store)
        write_manifest(elapsed)
        del networks, previous, units
        if source:
            write_atomically(folder / "experiment.toml", source.encode())
        log, ended = log_of(folder), "stopped"
        log.write("run", outcome="started", executor=executor.label, pending=len(schedule.pending))

    computed = passes = 0

    def show(last: Unit | None = None, stopped: Sequence[StoppedEntry] = ()) -> None:
        finished = len(schedule.units) - len(schedule.pending) + computed
        progress(Progress(finished, len(schedule.units), passes, schedule.pending_passes, last, tuple(stopped)))

    def rounds() -> Iterator[Sequence[Unit]]:
        show()
        announced = 0
        for pending in chain(schedule.rounds(), [()]):  # the empty round at the end reports the last stop
            if announced < len(schedule.stopped):
                show(stopped=schedule.stopped[announced:])
                announced = len(schedule.stopped)
            yield pending

    try:
        with closing(executor.compute(compute_unit, folder, rounds())) as outcomes:
            for outcome in outcomes:
                _record_failure(store, outcome)
                computed, passes = computed + 1, passes + outcome.unit.passes
                show(outcome.unit)
        ended = "finished"
    finally:
        with suppress(StorageError):
            log.write("run", outcome=ended)
        forget()  # what a process of its own keeps until it ends must not stay in the caller's

    seconds = time.perf_counter() - started
    elapsed += seconds if computed else 0.0
    write_manifest(elapsed)
    return RunSummary(
        path=folder,
        computed=computed,
        resumed=len(schedule.units) - computed,
        failures=tuple(store.failures()),
        refused=_once_each(store.refused()),
        stopped=tuple(schedule.stopped),
        set_aside=tuple(set_aside),
        seconds=seconds,
        executor=executor.label,
    )


def _record_failure(store: Run, outcome: UnitOutcome) -> None:
    if outcome.failure is None:
        return
    unit, reason = outcome.unit, outcome.failure.reason
    store.write_failure(unit.key, outcome.failure)
    if outcome.lost:
        facts = {"unit": unit.key, "method": unit.label, "model": unit.model_name}
        log_of(store.path).write("end", **facts, outcome="failed", reason=reason)


def _once_each(refusals: Iterable[Failure]) -> tuple[Failure, ...]:
    """The refused images, each once: every unit that contains an image refuses it again."""
    return tuple({failure.what: failure for failure in refusals}.values())
