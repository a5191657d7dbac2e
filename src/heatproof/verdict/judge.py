"""One call from a model, images and metrics to what the metrics are worth there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from heatproof.core.errors import HeatproofError, UsageError
from heatproof.core.formatting import comma_list
from heatproof.core.objects import holding
from heatproof.evaluation.executors import Executor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.networks import image_shape
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.evaluation.run import Progress
from heatproof.metrics.metric import Metric
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing
from heatproof.numerics.bounds import Bounds
from heatproof.passes.counting import ImageShape
from heatproof.passes.inputs import check_needs_images
from heatproof.pipeline import assemble, run
from heatproof.verdict.judgement import Judgement
from heatproof.verdict.panel import MapPanel
from heatproof.verdict.panel_scores import read_panel
from heatproof.verdict.variants import variants_of

DECIDED_HERE = ("seeds", "stop", "name", "kept_maps")
"""Settings of an experiment that the panel decides."""
MORE_METRICS: tuple[Mapping[str, Any], ...] = (
    {"name": "symmetric_relevance_gain", "label": "SRG of regions", "ranking": "absolute"},
    {
        "name": "symmetric_relevance_gain",
        "label": "SRG of pixels",
        "groups": None,
        "steps": 16,
        "share": 1.0,
        "fill": {"name": "blurred"},
    },
    {"name": "single_deletion"},
)
"""What is judged by default beside the default metrics of `heatproof.run`.

By regions of 32 of 224 pixels the gain tells every method from a random map on both packaged networks, if regions are ranked by
magnitude; by signed relevance, a gradient scores worse than chance there. By pixels, in signed order, it tells maps of
contributions from the random map and from the edges with the fewest images. Single deletion is almost free, as all maps share its
passes, and tells methods apart on SqueezeNet but not on EfficientNet-Lite0: which of the two it is elsewhere is what a judgement is
for (docs/project/measurements/metrics-judged.md).
"""


def judge(
    *,
    model: Any,
    data: Any,
    metrics: Any = None,
    methods: Any = None,
    damaged: str | None = None,
    stability: bool = False,
    bounds: Bounds | tuple[float, float] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    labels: Any = None,
    regions: Tensor | None = None,
    count: int | None = None,
    out: Path | str | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    progress: bool | Callable[[Progress], None] = True,
    **settings: Any,
) -> Judgement:
    """Say for each metric whether it can be believed on this network and these images.

    A panel of maps is scored: methods, controls, random maps of eight seeds, and the map of one method that is damaged in four
    ways to three shares each. From these scores follow, with intervals over images: how often a metric calls two random maps
    different; whether damage lowers the score; whether other images or seeds would order the maps alike; how many images tell
    the best method from a random map and from the edges of the image; and how far metrics agree. `verdict/rule.py` states the
    rule that makes the sentence of it.

    What the folder holds already is not computed again, so that a call that was stopped continues.

    Args:
        model: the network, as `heatproof.run` takes it; one only.
        data: the images, as `heatproof.run` takes them. Twelve or more are advisable, and six are the least.
        metrics: the metrics that are judged, as `heatproof.run` takes them. None: those that `heatproof.run` takes by default,
            the symmetric relevance gain of regions, ranked by magnitude, and of pixels, and single deletion.
        methods: the methods of the panel. None: those that `heatproof.run` takes by default. Controls among them are replaced.
        damaged: the label or name of the method whose map is damaged. None: LRP, else integrated gradients, else the first.
        stability: whether each metric is also computed with other fills, region sizes, lengths, rankings and outputs, to see
            whether it would order the methods alike. This takes at most six further scores for each method and control, on the
            first 12 images.
        bounds: as in `heatproof.run`, like all up to `count`.
        preprocessing: how photographs become inputs.
        class_names: the names of the outputs.
        labels: a class for each image.
        regions: where the object of each image lies, for metrics of localisation.
        count: the number of images, taken from the start; None for all.
        out: the folder of the runs; None for `runs/judge-NAME`, the name of the network.
        executor: as in `heatproof.run`, like `workers`.
        workers: the number of processes of `"local"`.
        progress: whether to show the progress on standard error, a line for each part and on a terminal a bar; or a function that
            is called with it.
        settings: further settings of the experiment, such as `target`, `batch` or `precision`.

    Raises:
        UsageError: An argument is of the wrong kind, there are several networks, or no method explains anything.
        SettingsError: A setting is unknown, impossible, or does not fit the images or the network.
        DataError: The images cannot be used.
        ModelError: The network cannot be loaded, or lacks what a metric needs.
        RunError: Maps or scores could not be computed.

    >>> import torch
    >>> import heatproof as hp
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> judgement = hp.judge(
    ...     model=network,
    ...     bounds=(0, 1),
    ...     data=images,
    ...     methods="input_x_gradient",
    ...     metrics="sparseness",
    ...     out="runs/judged",
    ...     progress=False,
    ... )
    >>> print(judgement["sparseness"].standing)
    not here
    """
    unwanted = [key for key in settings if key in DECIDED_HERE]
    if unwanted:
        raise UsageError(f"{comma_list(unwanted)}: expected settings that the panel leaves open; leave it out")
    assembly = assemble(
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
        kept_maps=0,
        **settings,
    )
    experiment = assembly.experiment
    if len(experiment.models) > 1:
        raise UsageError(f"model: expected one network, got {len(experiment.models)}; judge each by itself")
    folder = Path("runs") / f"judge-{experiment.name}" if out is None else Path(out)
    with holding(assembly.objects):
        network, shape = _network(experiment)
        if metrics is None:
            more = [settings for settings in MORE_METRICS if _fits(settings, network, shape)]
            experiment = experiment.model_copy(update={"metrics": (*more, *experiment.metrics)})
        panel = MapPanel.of(list(experiment.method_entries()), damaged, shape)
        variants = [variants_of(metric, network, shape) if stability else {} for metric in experiment.metric_list()]
        parts, runs = panel.parts(variants), {}
        for number, (name, part) in enumerate(parts.items(), 1):
            if progress is True:
                words = part.in_words(len(experiment.metrics))
                Console(stderr=True).print(f"part {number} of {len(parts)}: {words}", markup=False, soft_wrap=True)
            runs[name] = run(
                part.of(experiment),
                methods=part.maps,
                metrics=part.metrics,
                seeds=part.seeds,
                out=folder / name,
                executor=executor,
                workers=workers,
                progress=progress,
                report=False,
            )
    manifest = runs["panel"].manifest()
    scores = read_panel(runs, panel, [list(found) for found in variants])
    return Judgement.of(manifest.models[0].name, len(manifest.images), scores, folder)


def _fits(settings: Mapping[str, Any], network: Model, shape: ImageShape) -> bool:
    """Whether the images and the network allow a metric."""
    try:
        metric = Metric.from_dict({key: value for key, value in settings.items() if key != "label"})
        check_needs_images(metric, torch.zeros(1, *shape))
        metric.check_fits(network, shape)
    except HeatproofError:
        return False
    return True


def _network(experiment: Experiment) -> tuple[Model, ImageShape]:
    """The network of an experiment, and the shape of its images."""
    entry, dataset = next(experiment.model_entries()), experiment.data()
    model = entry.loader.load()
    model = model if entry.output is None else model.with_(output=entry.output)
    preprocessing_of(model, dataset)
    return model, image_shape(model, dataset)
