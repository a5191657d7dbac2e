"""An experiment from start to finish: plan, what is left to do, compute it, write down what failed."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from heatproof.bench.executors.base import Executor, Outcome
from heatproof.bench.experiment import Experiment
from heatproof.bench.facts import run_facts
from heatproof.bench.networks import load_networks
from heatproof.bench.plan import Unit, plan
from heatproof.bench.worker import compute_unit
from heatproof.core.errors import DataError
from heatproof.core.records import Failure
from heatproof.store import Run


@dataclass(frozen=True)
class Progress:
    """How far a run is. `rows` and `total_rows` count work in forward rows, a backward row as two."""

    done: int
    total: int
    rows: int
    total_rows: int
    last: Unit | None = None


@dataclass(frozen=True)
class Summary:
    """What a run ended with."""

    path: Path
    computed: int
    resumed: int
    failures: tuple[Failure, ...]
    refused: tuple[Failure, ...]
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
        progress: called at the start and after every unit.
        source: text of the experiment file, kept with the run.

    Raises:
        DataError: the data set is empty or cannot be listed.
        ModelError: a network cannot be loaded.
    """
    started = time.perf_counter()
    dataset = experiment.data()
    items = dataset.items()
    if not items:
        raise DataError(f"{dataset.name}: expected at least one image, got none")
    store = Run(folder)
    previous = store.facts() if (folder / "run.json").exists() else {}
    networks = load_networks(experiment, dataset, items, previous)
    units = plan(experiment, items, [network for _, network in networks])
    facts = run_facts(experiment, dataset, items, networks, units)
    store.write_facts(facts | {"elapsed": previous.get("elapsed", 0.0)})
    if source:
        (folder / "experiment.toml").write_text(source, encoding="utf-8")
    del networks

    done = store.done()
    pending = [unit for unit in units if unit.key not in done]
    finished, rows, total_rows = len(units) - len(pending), 0, sum(unit.rows for unit in pending)
    progress(Progress(finished, len(units), rows, total_rows))
    for outcome in executor.run(compute_unit, folder, pending):
        _write_down(store, outcome)
        finished, rows = finished + 1, rows + outcome.unit.rows
        progress(Progress(finished, len(units), rows, total_rows, outcome.unit))

    seconds = time.perf_counter() - started
    if pending:
        store.write_facts(facts | {"elapsed": previous.get("elapsed", 0.0) + seconds})
    return Summary(
        path=folder,
        computed=len(pending),
        resumed=len(units) - len(pending),
        failures=tuple(store.failures()),
        refused=_once_each(store.refused()),
        seconds=seconds,
    )


def _write_down(store: Run, outcome: Outcome) -> None:
    if outcome.failure is not None:
        store.write_failure(outcome.unit.key, outcome.failure)


def _once_each(refusals: Iterable[Failure]) -> tuple[Failure, ...]:
    """An image is refused by every unit that meets it; it is reported once."""
    return tuple({failure.what: failure for failure in refusals}.values())
