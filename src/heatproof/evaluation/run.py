"""An experiment from start to finish: plan, what is left to do, compute it, write down what failed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from heatproof.core.errors import DataError
from heatproof.core.records import Failure
from heatproof.data.base import Item
from heatproof.evaluation.executors.base import Executor, Outcome
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.manifest import run_manifest, unit_entries
from heatproof.evaluation.networks import load_networks
from heatproof.evaluation.plan import Unit, plan
from heatproof.evaluation.schedule import Schedule
from heatproof.evaluation.worker import compute_unit
from heatproof.metrics.base import RegionMetric
from heatproof.store import Run
from heatproof.store.manifest import StoppedEntry


@dataclass(frozen=True)
class Progress:
    """How far a run is. `rows` and `total_rows` count work in forward rows, a backward row as two. Totals shrink when a model
    stops.
    """

    done: int
    total: int
    rows: int
    total_rows: int
    last: Unit | None = None
    stopped: tuple[StoppedEntry, ...] = ()
    """Models that have just been stopped."""


@dataclass(frozen=True)
class Summary:
    """What a run ended with."""

    path: Path
    computed: int
    resumed: int
    failures: tuple[Failure, ...]
    refused: tuple[Failure, ...]
    stopped: tuple[StoppedEntry, ...]
    seconds: float


def run_experiment(
    experiment: Experiment,
    folder: Path,
    executor: Executor,
    progress: Callable[[Progress], None] = lambda _: None,
    source: str = "",
) -> Summary:
    """Compute what the folder lacks. Killed at any point and started again, it ends with the same rows.

    Args:
        experiment: what to compute.
        folder: where the run is kept; parts of other settings may already be in it and are left alone.
        executor: how units are computed.
        progress: called at the start, after every unit and when a model stops early.
        source: text of the experiment file, kept with the run.

    Raises:
        DataError: the data set is empty or cannot be listed, or lacks what a metric needs.
        ModelError: a network cannot be loaded.
    """
    started = time.perf_counter()
    dataset = experiment.data()
    items = dataset.items()
    if not items:
        raise DataError(f"{dataset.name}: expected at least one image, got none")
    _check_regions(experiment, items)
    store = Run(folder)
    previous = store.manifest() if store.exists else None
    networks = load_networks(experiment, dataset, items, previous)
    units = plan(experiment, items, [network for _, network in networks])
    manifest = run_manifest(experiment, dataset, items, networks, units)
    names = {model.digest: model.name for model, _ in networks}
    del networks
    schedule = Schedule(experiment, items, units, names, store)
    elapsed = previous.elapsed if previous else 0.0
    store.write_manifest(manifest.model_copy(update={"elapsed": elapsed, "stop": schedule.stop_entry()}))
    if source:
        (folder / "experiment.toml").write_text(source, encoding="utf-8")

    computed = rows = 0

    def show(last: Unit | None = None, stopped: Sequence[StoppedEntry] = ()) -> None:
        finished = len(schedule.units) - len(schedule.pending) + computed
        progress(Progress(finished, len(schedule.units), rows, schedule.pending_rows, last, tuple(stopped)))

    def rounds() -> Iterator[Sequence[Unit]]:
        show()
        announced = 0
        for pending in chain(schedule.rounds(), [()]):  # the empty round at the end is there to tell of the last stop
            if announced < len(schedule.stopped):
                show(stopped=schedule.stopped[announced:])
                announced = len(schedule.stopped)
            yield pending

    for outcome in executor.run(compute_unit, folder, rounds()):
        _write_down(store, outcome)
        computed, rows = computed + 1, rows + outcome.unit.rows
        show(outcome.unit)

    seconds = time.perf_counter() - started
    elapsed += seconds if computed else 0.0
    store.write_manifest(
        manifest.model_copy(
            update={"elapsed": elapsed, "stop": schedule.stop_entry(), "units": unit_entries(schedule.units, names)}
        )
    )
    return Summary(
        path=folder,
        computed=computed,
        resumed=len(schedule.units) - computed,
        failures=tuple(store.failures()),
        refused=_once_each(store.refused()),
        stopped=tuple(schedule.stopped),
        seconds=seconds,
    )


def _check_regions(experiment: Experiment, items: Sequence[Item]) -> None:
    needing = [metric.name for metric in experiment.metric_list() if isinstance(metric, RegionMetric)]
    if needing and all(item.region == "none" for item in items):
        raise DataError(
            f"{', '.join(needing)}: expected images with the region of their object, got none in {experiment.data().name}; "
            "use photos, a folder with `masks`, or leave these metrics out"
        )


def _write_down(store: Run, outcome: Outcome) -> None:
    if outcome.failure is not None:
        store.write_failure(outcome.unit.key, outcome.failure)


def _once_each(refusals: Iterable[Failure]) -> tuple[Failure, ...]:
    """An image is refused by every unit that meets it; it is reported once."""
    return tuple({failure.what: failure for failure in refusals}.values())
