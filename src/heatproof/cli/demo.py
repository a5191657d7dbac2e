"""`heatproof demo`: the main job, on photographs that come with the package."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import typer

from heatproof.cli.evaluate import Chosen, Runs, Timeout, Workers
from heatproof.cli.run_command import run_and_report


def demo(
    out: Runs = Path("runs"),
    budget: Annotated[
        Literal["full", "smoke", "gallery"],
        typer.Option(
            help="full: twelve photographs; smoke: two, a minute, nothing to conclude from; gallery: every method there is on six, "
            "two minutes, to look at."
        ),
    ] = "full",
    executor: Chosen = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Which heatmap can I believe? EfficientNet-Lite0, twelve photographs, seven methods, four controls, four metrics."""
    import tomllib

    from heatproof.evaluation.experiment import Experiment

    name = {"full": "demo.toml", "smoke": "demo_smoke.toml", "gallery": "gallery.toml"}[budget]
    source = (files("heatproof.reproductions") / name).read_text(encoding="utf-8")
    experiment = Experiment.parse(tomllib.loads(source))
    run_and_report(experiment, out / experiment.name, source, executor, workers, timeout)
