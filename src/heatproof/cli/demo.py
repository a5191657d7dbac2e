"""The command `heatproof demo`: advice about a network on photographs, both of which come with the package."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from heatproof import reproductions
from heatproof.cli.advise import show
from heatproof.cli.evaluate import Executor, Runs, Timeout, Workers
from heatproof.cli.run_command import run_and_report

MODEL, DATA = "efficientnet_lite0", "photos"
"""The network and the images of the demo, both of which come with the package."""


def demo(
    out: Runs = Path("runs"),
    budget: Annotated[
        Literal["full", "smoke", "gallery"],
        typer.Option(
            metavar="NAME",
            help="How much to run. full: advice, from as many of the forty photographs as it takes. smoke: the scores of two "
            "photographs, in a minute; too few to conclude anything. gallery: the maps of every method on six photographs, in two "
            "minutes, to look at.",
        ),
    ] = "full",
    executor: Executor = "local",
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Find out which heatmap to believe, on an example.

    The example is EfficientNet-Lite0 on photographs that come with the package, with eleven methods. What the metrics are worth
    there comes with the package, too, since that takes longer than the rest: `heatproof advise efficientnet_lite0 photos` begins
    with it.
    """
    if budget == "full":
        from heatproof.passes.memory import keep_freed_memory
        from heatproof.pipeline import executor_of
        from heatproof.verdict import advise, packaged_verdict

        keep_freed_memory()
        chosen = executor_of(executor, workers, timeout)
        show(advise(model=MODEL, data=DATA, judgement=packaged_verdict(MODEL), out=out / "demo", executor=chosen))
        return
    import tomllib

    from heatproof.evaluation.experiment import Experiment

    source = reproductions.read({"smoke": "demo_smoke", "gallery": "gallery"}[budget])
    experiment = Experiment.parse(tomllib.loads(source))
    run_and_report(experiment, out / experiment.name, source, executor, workers, timeout)
