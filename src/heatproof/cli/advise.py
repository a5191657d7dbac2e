"""The command `heatproof advise`, which says which method to use on a network and its images, and which to avoid."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.console import named
from heatproof.cli.console import out as console
from heatproof.cli.evaluate import Address, Count, Executor, Gpus, Workers
from heatproof.cli.judge import DataText, ModelText
from heatproof.cli.stopping import continued_by_the_same_command
from heatproof.core.formatting import count as number_of

if TYPE_CHECKING:
    from heatproof.verdict import Advice

Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-x",
        metavar="METHOD",
        help="A method that is compared, and its settings. May be given several times. If there is none: eleven of every family, "
        "where the network allows them.",
    ),
]
Passes = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="The most forward passes that the looks may take; a backward pass counts as two.",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="M",
        help="The most minutes that the looks may take. It stops by the clock, so that a slower machine may leave more open.",
    ),
]
Worth = Annotated[
    float,
    typer.Option(
        metavar="D",
        help="The least effect size per image that is worth telling. What is shown to be smaller gets no more images.",
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help="The folder of the runs. If it is not given, runs/advise-NAME."),
]


def advise(
    model: ModelText,
    data: DataText,
    method: Methods = None,
    images: Count = None,
    passes: Passes = None,
    minutes: Minutes = None,
    worth: Worth = 0.2,
    out: Folder = None,
    executor: Executor = "local",
    workers: Workers = None,
    address: Address = None,
    gpus: Gpus = None,
) -> None:
    """Say which method to use on a network and its images, which to avoid, and on what evidence.

    Metrics are judged first, on a few images. Then methods are asked whether they depend on the weights and on the class, repeat,
    bear noise, and are more faithful than the edges of the image. What is decided gets no more images. If the command is stopped,
    the same command continues it.
    """
    from heatproof.pipeline import executor_of
    from heatproof.verdict import advise as advice_of

    with continued_by_the_same_command():
        found = advice_of(
            model=model,
            data=data,
            methods=method,
            count=images,
            passes=passes,
            minutes=minutes,
            worth=worth,
            out=out,
            executor=executor_of(executor, workers, address=address, gpus=gpus),
        )
    show(found)


def show(advice: "Advice") -> None:
    """Print advice and the paths of its files."""
    console.print(f"\n{advice.model}, {number_of(advice.images, 'image')}\n", style="bold", markup=False)
    console.print(advice.text(console.width), markup=False, soft_wrap=True)
    named(console, "\nverdict", str(advice.file))
    if advice.page is not None:
        named(console, "page", str(advice.page), gap="     ")
    if advice.report is not None:
        named(console, "report", str(advice.report), gap="   ")
