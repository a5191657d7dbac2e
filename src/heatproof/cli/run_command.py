"""Run an experiment, build its report and say how it went; what `demo`, `evaluate` and `reproduce` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from heatproof.cli.console import err, out, problem, progress_bar
from heatproof.core.formatting import clock, count

if TYPE_CHECKING:
    from heatproof.evaluation.experiment import Experiment
    from heatproof.evaluation.run import RunSummary

ExecutorName = Literal["local", "serial"]


def run_and_report(
    experiment: "Experiment", folder: Path, source: str, executor: ExecutorName, workers: int | None, timeout: float | None
) -> None:
    """Compute what is missing, write the report, print a summary; exit with 1 if a unit failed."""
    from heatproof.evaluation.executors import LocalExecutor, SerialExecutor
    from heatproof.evaluation.run import run_experiment
    from heatproof.passes.memory import keep_freed_memory

    keep_freed_memory()
    chosen = SerialExecutor() if executor == "serial" else LocalExecutor(workers, timeout)
    try:
        with progress_bar() as show:
            summary = run_experiment(experiment, folder, chosen, show, source)
    except KeyboardInterrupt:
        problem("stopped; what was finished is kept, and the same command goes on from there")
        raise typer.Exit(130) from None
    _summarise(summary)
    if summary.computed + summary.resumed > len({f.unit for f in summary.failures}):
        from heatproof.report import build

        with err.status("writing the report"):
            page = build(folder)
        out.print(f"[bold]report[/]  {page}", soft_wrap=True)
    if summary.failures:
        raise typer.Exit(1)


def _summarise(summary: "RunSummary") -> None:
    done = f"{count(summary.computed, 'unit')} computed in {clock(summary.seconds)}"
    out.print(done + (f", {summary.resumed} taken from an earlier run" if summary.resumed else ""))
    for stopped in summary.stopped:
        out.print(str(stopped), markup=False, soft_wrap=True)
    for refusal in summary.refused:
        err.print("[yellow]refused[/]", end=" ")
        err.print(f"{refusal.what}: {refusal.reason}", markup=False, soft_wrap=True)
    for failure in summary.failures:
        problem(f"{failure.what}: {failure.reason}")
    if summary.failures:
        err.print(
            f"tracebacks are in {summary.path / 'failed'}; the same command tries these units again", markup=False, soft_wrap=True
        )
