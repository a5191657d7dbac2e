"""The command `heatproof demo`: an evaluation of methods on photographs that come with the package."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from heatproof import reproductions
from heatproof.cli.evaluate import Executor, Runs, Timeout, Workers
from heatproof.cli.run_command import run_and_report


def demo(
    out: Runs = Path("runs"),
    budget: Annotated[
        Literal["full", "smoke", "gallery"],
        typer.Option(
            metavar="NAME",
            help="How much to run. full: twelve photographs. smoke: two photographs, in a minute; too few to conclude anything. "
            "gallery: the maps of every method on six photographs, in two minutes, to look at.",
        ),
    ] = "full",
    executor: Executor = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Find out which heatmap to believe, on an example.

    The example is EfficientNet-Lite0 on twelve photographs, with seven methods, four controls and four metrics.
    """
    import tomllib

    from heatproof.evaluation.experiment import Experiment

    source = reproductions.read({"full": "demo", "smoke": "demo_smoke", "gallery": "gallery"}[budget])
    experiment = Experiment.parse(tomllib.loads(source))
    run_and_report(experiment, out / experiment.name, source, executor, workers, timeout)
