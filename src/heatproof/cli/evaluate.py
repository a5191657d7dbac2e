"""The command `heatproof evaluate`, which runs an experiment: that of a file, or of a model and images that options name."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.run_command import ExecutorName, run_and_report

Runs = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder in which the folder of the run is created.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="The number of processes. If it is not given, there is one per core, or per GPU of a cluster."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=1, metavar="SECONDS", help="The time after which a unit of work is stopped and recorded as failed."),
]
EXECUTORS = (
    "local: several processes on this machine. serial: one unit after another, in this process. "
    "shared: the same command runs several times at once, on any machines that see the folder, and they divide the work. "
    "ray: processes of a Ray cluster, of this machine or of many."
)
Executor = Annotated[ExecutorName, typer.Option("--executor", metavar="NAME", help=EXECUTORS)]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="The Ray cluster for --executor ray, such as auto or 10.0.0.1:6379. If it is not given, that of RAY_ADDRESS, or one "
        "of this machine alone is started.",
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(metavar="N", help="The GPUs that each process of --executor ray takes, or the share of one, such as 0.5."),
]
File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="The experiment, a TOML file. The options below replace what it says; without a file, --model and --data are needed.",
        show_default=False,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A network and its settings: my_package.nets:build,key=value for your own by its import path, "
        "file:weights.pt,architecture=my_package.nets:build, torchvision:resnet18 and others; `heatproof models` lists them. "
        "May be given several times.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="DATA",
        help="The images: a folder, a folder with one subfolder per class, an image, an .npz file, or a data set with its "
        "settings; `heatproof data` lists them.",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-x",
        metavar="METHOD",
        help="A method and its settings, such as smooth_grad,samples=20. May be given several times. If there is no file: "
        "gradient, integrated_gradients, smooth_grad, grad_cam and lrp where the network allows them, random_map and edge_map.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="A metric and its settings; the first decides the verdict. May be given several times. If there is no file: "
        "pixel_flipping, perturbation_curve, random_logit and sparseness.",
    ),
]
Count = Annotated[int | None, typer.Option("--images", min=1, metavar="N", help="Use the first N images only.")]


def evaluate(
    file: File = None,
    model: Models = None,
    data: Data = None,
    method: Methods = None,
    metric: Metrics = None,
    images: Count = None,
    out: Runs = Path("runs"),
    executor: Executor = "local",
    workers: Workers = None,
    timeout: Timeout = None,
    address: Address = None,
    gpus: Gpus = None,
) -> None:
    """Compare methods on a model and images by metrics, and write the report.

    If the command is stopped, the same command continues it.
    """
    from heatproof.core.objects import holding
    from heatproof.pipeline import assemble, executor_of

    chosen = executor_of(executor, workers, timeout, address, gpus)
    assembly = assemble(file, model=model, data=data, methods=method, metrics=metric, count=images)
    with holding(assembly.objects):
        run_and_report(assembly.experiment, out / assembly.experiment.name, assembly.text, chosen)
