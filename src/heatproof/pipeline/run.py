"""One call from a model and images to a finished run with its report."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor

from heatproof.core.errors import RunError, UsageError
from heatproof.core.objects import holding
from heatproof.evaluation.executors import Executor
from heatproof.evaluation.run import Progress, RunSummary, run_experiment
from heatproof.models.preprocessing import Preprocessing
from heatproof.numerics.bounds import Bounds
from heatproof.pipeline.assemble import Source, assemble
from heatproof.pipeline.progress import progress_bar
from heatproof.pipeline.steps import executor_of, report_of
from heatproof.store import Run

log = logging.getLogger("heatproof")


def run(
    experiment: Source = None,
    *,
    model: Any = None,
    data: Any = None,
    methods: Any = None,
    metrics: Any = None,
    bounds: Bounds | tuple[float, float] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    labels: Any = None,
    regions: Tensor | None = None,
    count: int | None = None,
    out: Path | str | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    report: bool = True,
    progress: bool | Callable[[Progress], None] = True,
    **settings: Any,
) -> Run:
    """Compare methods on a model and images, and write the report.

    What the folder of the run holds already is not computed again, so that a call that was stopped continues. Units are computed
    anew if the weights, the source code or the plain attributes of the network change, or the content of the images, or a setting.

    Args:
        experiment: an `Experiment`, the path of its TOML file, or its content as a dict. The arguments below replace parts of it.
            None if these say everything.
        model: a `Model`; an `nn.Module`, with `bounds` or `preprocessing` beside it; a text as on the command line, such as
            `"my_package.nets:build,width=8"` or `"torchvision:resnet18"`; a list of these; or a dict of name → model.
        data: a tensor `[n, c, h, w]` in the network's units, a table `[n, f]` or volumes `[n, c, d, h, w]`; signals as a list of
            `[c, t]`, or `[n, c, t]` with labels (the report draws maps of images only); a pair (images, labels); a data set
            of heatproof or its name; the path of a folder, an image or an .npz file; a PIL image; numpy arrays, of 8-bit pixels
            with channels last, or in the network's units with channels first; or a finite iterable of images, of (image, label) or
            of batches, such as a data set or a loader of torch.
        methods: methods, their names or their settings, in a list or a dict of label → method. None: a gradient, integrated
            gradients, SmoothGrad, Grad-CAM and LRP where the network allows them, a random map and edges.
        metrics: likewise; the first decides the verdict. None: pixel flipping, the perturbation curve, random logit, sparseness.
        bounds: the legal values of the input of an `nn.Module`: `Bounds`, or (lower, upper) of every channel.
        preprocessing: how photographs become inputs of an `nn.Module`; it gives the bounds too.
        class_names: the names of the outputs of an `nn.Module`.
        labels: a class for each image, beside tensors, arrays or a list of images.
        regions: where the object of each image lies, `[n, h, w]`, beside tensors; for metrics of localisation.
        count: the number of images, taken from the start; None for all.
        out: the folder of the run; None for `runs/NAME`, the name of the experiment or else of the model.
        executor: `"serial"` computes in this process, with all of torch's threads, and needs nothing to be pickled. `"local"`
            computes in several processes, which start anew: objects are pickled for them, and what cannot be pickled, such as a
            lambda or a class inside a function, is refused before anything is computed. A script must then call this function under
            `if __name__ == "__main__":`. `"ray"` computes in processes of a Ray cluster that is started on this machine; for one
            that is there already, give a `heatproof.evaluation.executors.RayExecutor`. Never is one used in place of the other; the
            manifest says which was used.
        workers: the number of processes of `"local"` or `"ray"`; None means one for each core.
        report: whether to write the report.
        progress: whether to show the progress on standard error, or a function that is called with it.
        settings: further settings of the experiment, such as `seeds`, `target`, `batch`, `kept_maps`, `precision` or `stop`.

    Returns:
        The run: `print(run)` shows the verdict; `run.report` is the path of the page, `run.summary()` the statistics of each
        method, `run.scores()` every score of every image. `heatproof.Run(path)` opens it again.

    Raises:
        UsageError: An argument is of the wrong kind, or an object cannot be sent to processes.
        SettingsError: A setting is unknown, impossible, or does not fit the images or the network.
        DataError: The images cannot be used.
        ModelError: The network cannot be loaded, or lacks what a metric needs.
        RunError: Units failed. What could be computed is stored, and the report covers it.

    >>> import torch
    >>> import heatproof as hp
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> images = torch.linspace(0, 1, 4 * 192).view(4, 3, 8, 8)
    >>> run = hp.run(
    ...     model=network, bounds=(0, 1), data=images, methods=["gradient", "random_map"], metrics=["sparseness"], out="runs/mine"
    ... )
    >>> run.report.name, run.summary()["n"].to_pylist()
    ('report.html', [4, 4])
    """
    if getattr(current_process(), "_inheriting", False):  # as multiprocessing says it, while it imports the main module
        raise UsageError(
            "heatproof.run: expected a call of the main process, got one while a process that it started imports the script; put "
            'the call under `if __name__ == "__main__":`'
        )
    chosen = _executor(executor, workers)
    assembly = assemble(
        experiment,
        model=model,
        data=data,
        methods=methods,
        metrics=metrics,
        bounds=bounds,
        preprocessing=preprocessing,
        class_names=class_names,
        labels=labels,
        regions=regions,
        count=count,
        **settings,
    )
    folder = Path("runs") / assembly.experiment.name if out is None else Path(out)
    with holding(assembly.objects), _shown(progress) as show:
        summary = run_experiment(assembly.experiment, folder, chosen, show, assembly.text)
    page = report_of(summary) if report else None
    for fault in summary.set_aside:
        log.warning("set aside and computed anew: %s: %s", fault.what, fault.reason)
    for refusal in summary.refused:
        log.warning("refused: %s: %s", refusal.what, refusal.reason)
    _check_failures(summary, page)
    return Run(folder)


def _shown(progress: bool | Callable[[Progress], None]) -> AbstractContextManager[Callable[[Progress], None]]:
    if callable(progress):
        return nullcontext(progress)
    return progress_bar(Console(stderr=True), lines=False) if progress else nullcontext(lambda _: None)


def _executor(executor: str | Executor, workers: int | None) -> Executor:
    if isinstance(executor, str):
        return executor_of(executor, workers)
    if workers is not None:
        raise UsageError('workers: expected executor="local" beside it, got an executor, which has its own; leave it out')
    return executor


def _check_failures(summary: RunSummary, page: Path | None) -> None:
    if not summary.failures:
        return
    first, units = summary.failures[0], summary.computed + summary.resumed
    covered = f"the report {page} covers the others" if page else "there is no report"
    raise RunError(
        f"{summary.path}: expected that all {units:,} units can be computed, {len(summary.failures)} failed, first {first.what}: "
        f"{first.reason}; {covered}, the tracebacks are in {summary.path / 'failed'}, and the same call computes these units again"
    )
