"""The command `heatproof judge`, which says for each metric whether it can be believed on a network and its images."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.console import out as console
from heatproof.cli.evaluate import Address, Count, Executor, Gpus, Workers
from heatproof.cli.stopping import continued_by_the_same_command
from heatproof.core.formatting import count

ModelText = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="The network: my_package.nets:build,key=value for your own by its import path, torchvision:resnet18 and others; "
        "`heatproof models` lists them.",
        show_default=False,
    ),
]
DataText = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="The images: a folder, an .npz file, or a data set with its settings; `heatproof data` lists them.",
        show_default=False,
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="A metric that is judged, and its settings. May be given several times. If there is none: "
        "symmetric_relevance_gain of regions and of pixels, single_deletion, pixel_flipping, perturbation_curve, random_logit and "
        "sparseness.",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-x",
        metavar="METHOD",
        help="A method of the panel, and its settings. May be given several times. If there is none: gradient, "
        "integrated_gradients, smooth_grad, grad_cam and lrp where the network allows them.",
    ),
]
Stability = Annotated[
    bool,
    typer.Option(
        "--stability",
        help="Compute each metric with other fills, region sizes, lengths, rankings and outputs, too, and show whether it orders "
        "the methods alike.",
    ),
]
Truth = Annotated[
    str | None,
    typer.Option(
        "--truth",
        metavar="METRIC",
        help="A metric of known truth, such as grid_pointing on mosaics, with which the order of the methods by each metric is "
        "compared.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help="The folder of the runs. If it is not given, runs/judge-NAME."),
]


def judge(
    model: ModelText,
    data: DataText,
    metric: Metrics = None,
    method: Methods = None,
    images: Count = None,
    out: Folder = None,
    stability: Stability = False,
    truth: Truth = None,
    executor: Executor = "local",
    workers: Workers = None,
    address: Address = None,
    gpus: Gpus = None,
) -> None:
    """Say for each metric whether it can be believed on a network and its images, and with how many.

    Random maps, controls, a few methods and maps that are damaged to known shares are scored by every metric. The sentences and
    numbers are also written to judgement.html in the folder of the runs, with a picture of how far the metrics agree. If the
    command is stopped, the same command continues it.
    """
    from heatproof.pipeline import executor_of
    from heatproof.verdict import judge as judgement_of

    with continued_by_the_same_command():
        found = judgement_of(
            model=model,
            data=data,
            metrics=metric,
            methods=method,
            stability=stability,
            truth=truth,
            count=images,
            out=out,
            executor=executor_of(executor, workers, address=address, gpus=gpus),
        )
    console.print(f"\n{found.model}, {count(found.images, 'image')}\n", style="bold", markup=False)
    console.print(found.text(console.width), markup=False, soft_wrap=True)
    console.print(f"\npage  {found.save(found.path / 'judgement.html')}", markup=False, soft_wrap=True)
    if len(found.metrics) > 1:
        console.print(f"picture  {found.picture().save(found.path / 'agreement.png')}", markup=False, soft_wrap=True)
    console.print(f"runs  {found.path}", markup=False, soft_wrap=True)
