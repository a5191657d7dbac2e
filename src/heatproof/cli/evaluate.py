"""The command `heatproof evaluate FILE`, which runs an experiment."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.run_command import ExecutorName, run_and_report

Runs = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder in which the folder of the run is created.")]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The number of processes. If it is not given, there is one per core.")
]
Timeout = Annotated[
    float | None,
    typer.Option(min=1, metavar="SECONDS", help="The time after which a unit of work is stopped and recorded as failed."),
]
Executor = Annotated[
    ExecutorName,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="local: several processes on this machine. serial: one unit after another, in this process.",
    ),
]


def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The experiment, a TOML file.", show_default=False)],
    out: Runs = Path("runs"),
    executor: Executor = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Run an experiment and write its report.

    An experiment compares methods on models and images, by metrics. If it is stopped, the same command continues it.
    """
    from heatproof.evaluation.experiment import Experiment

    experiment = Experiment.read(file)
    run_and_report(experiment, out / experiment.name, file.read_text(encoding="utf-8"), executor, workers, timeout)
