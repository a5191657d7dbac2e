"""Runs an experiment, writes its report and prints its verdict, for the commands `demo`, `evaluate` and `reproduce`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from heatproof.cli.console import err, named, out, problem
from heatproof.cli.stopping import check_stopped, continued_by_the_same_command
from heatproof.cli.verdict import print_verdict
from heatproof.core.formatting import count, duration

if TYPE_CHECKING:
    from heatproof.evaluation.executors import Executor
    from heatproof.evaluation.experiment import Experiment
    from heatproof.evaluation.run import Progress, RunSummary

ExecutorName = Literal["local", "serial", "shared", "ray"]


def run_and_report(
    experiment: "Experiment",
    folder: Path,
    source: str,
    executor: "Executor",
    show_findings: Callable[[Path], None] = lambda _: None,
) -> None:
    """Compute the units that are missing, write the report, and print the verdict and the scores.

    Args:
        experiment: The experiment.
        folder: The folder of the run. Results of an earlier run in it are used again.
        source: The text of the experiment's file, which is stored with the run.
        executor: What computes the units.
        show_findings: Prints what there is to say of the run beside its verdict.

    Raises:
        typer.Exit: The run was stopped (exit code 130 or 143), or a unit failed (exit code 1).
    """
    from heatproof.evaluation.run import run_experiment
    from heatproof.passes.memory import keep_freed_memory
    from heatproof.pipeline import report_of
    from heatproof.pipeline.progress import progress_bar
    from heatproof.report import RunAnalysis

    keep_freed_memory()
    with continued_by_the_same_command(), progress_bar(err) as show:

        def look(progress: "Progress") -> None:
            show(progress)
            check_stopped()

        summary = run_experiment(experiment, folder, executor, look, source)
    _summarise(summary)
    with err.status("writing the report"):
        analysis = RunAnalysis.of(folder)
        page = report_of(summary, analysis)
    if page is not None:
        print_verdict(analysis)
        show_findings(folder)
        named(out, "\nreport", str(page))
    if summary.failures:
        raise typer.Exit(1)


def _summarise(summary: "RunSummary") -> None:
    """Print how many units were computed, and every image that was refused and every unit that failed."""
    computed = f"{count(summary.computed, 'unit')} computed in {duration(summary.seconds)}, {summary.executor}"
    out.print(computed + (f", {summary.resumed} taken from an earlier run" if summary.resumed else ""))
    for stopped in summary.stopped:
        out.print(str(stopped), markup=False, soft_wrap=True)
    for fault in summary.set_aside:
        named(err, "set aside and computed anew", f"{fault.what}: {fault.reason}", style="yellow", gap=" ")
    for refusal in summary.refused:
        named(err, "refused", f"{refusal.what}: {refusal.reason}", gap=" ")
    for failure in summary.failures:
        problem(f"{failure.what}: {failure.reason}")
    if summary.failures:
        err.print(
            f"the tracebacks are in {summary.path / 'failed'}; the same command computes these units again",
            markup=False,
            soft_wrap=True,
        )
