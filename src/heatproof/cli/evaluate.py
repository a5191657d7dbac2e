"""`heatproof evaluate FILE`."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.run_command import ExecutorName, run_and_report

Runs = Annotated[Path, typer.Option("--out", "-o", help="Folder that run folders are made in.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")]
Timeout = Annotated[float | None, typer.Option(min=1, help="Seconds after which a unit is stopped and written down as failed.")]
Chosen = Annotated[
    ExecutorName, typer.Option("--executor", help="Processes on this machine, or one unit after another in this one.")
]


def evaluate(
    file: Annotated[Path, typer.Argument(help="Experiment file (TOML).", show_default=False)],
    out: Runs = Path("runs"),
    executor: Chosen = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Run an experiment: models × methods × metrics × images. Started again, it goes on where it stopped."""
    from heatproof.evaluation.experiment import Experiment

    experiment = Experiment.read(file)
    run_and_report(experiment, out / experiment.name, file.read_text(encoding="utf-8"), executor, workers, timeout)
