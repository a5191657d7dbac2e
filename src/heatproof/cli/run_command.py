"""Runs an experiment, writes its report and prints its verdict, for the commands `demo`, `evaluate` and `reproduce`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from heatproof.cli.console import err, out, problem
from heatproof.cli.stopping import exit_code
from heatproof.cli.verdict import print_verdict
from heatproof.core.formatting import count, duration

if TYPE_CHECKING:
    from heatproof.evaluation.experiment import Experiment
    from heatproof.evaluation.run import RunSummary

ExecutorName = Literal["local", "serial", "shared"]


def run_and_report(
    experiment: "Experiment",
    folder: Path,
    source: str,
    executor: ExecutorName,
    workers: int | None,
    timeout: float | None,
    show_findings: Callable[[Path], None] = lambda _: None,
) -> None:
    """Compute the units that are missing, write the report, and print the verdict and the scores.

    Args:
        experiment: The experiment.
        folder: The folder of the run. Results of an earlier run in it are used again.
        source: The text of the experiment's file, which is stored with the run.
        executor: Whether units are computed in several processes (local), one after another (serial), or beside other
            processes that run the same command (shared).
        workers: The number of processes; None means one per core.
        timeout: The time in seconds after which a unit is stopped; None means never.
        show_findings: Prints what there is to say of the run beside its verdict.

    Raises:
        typer.Exit: The run was stopped (exit code 130 or 143), or a unit failed (exit code 1).
    """
    from heatproof.evaluation.run import run_experiment
    from heatproof.passes.memory import keep_freed_memory
    from heatproof.pipeline import executor_of, report_of
    from heatproof.pipeline.progress import progress_bar

    keep_freed_memory()
    chosen = executor_of(executor, workers, timeout)
    try:
        with progress_bar(err) as show:
            summary = run_experiment(experiment, folder, chosen, show, source)
    except KeyboardInterrupt as error:
        problem("stopped; finished results are stored, and the same command continues from there")
        raise typer.Exit(exit_code(error)) from None
    _summarise(summary)
    with err.status("writing the report"):
        page = report_of(summary)
    if page is not None:
        print_verdict(folder)
        show_findings(folder)
        out.print(f"\n[bold]report[/]  {page}", soft_wrap=True)
    if summary.failures:
        raise typer.Exit(1)


def _summarise(summary: "RunSummary") -> None:
    """Print how many units were computed, and every image that was refused and every unit that failed."""
    computed = f"{count(summary.computed, 'unit')} computed in {duration(summary.seconds)}, {summary.executor}"
    out.print(computed + (f", {summary.resumed} taken from an earlier run" if summary.resumed else ""))
    for stopped in summary.stopped:
        out.print(str(stopped), markup=False, soft_wrap=True)
    for fault in summary.set_aside:
        err.print("[yellow]set aside and computed anew[/]", end=" ")
        err.print(f"{fault.what}: {fault.reason}", markup=False, soft_wrap=True)
    for refusal in summary.refused:
        err.print("[bold]refused[/]", end=" ")
        err.print(f"{refusal.what}: {refusal.reason}", markup=False, soft_wrap=True)
    for failure in summary.failures:
        problem(f"{failure.what}: {failure.reason}")
    if summary.failures:
        err.print(
            f"the tracebacks are in {summary.path / 'failed'}; the same command computes these units again",
            markup=False,
            soft_wrap=True,
        )
