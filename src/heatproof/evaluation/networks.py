"""The networks of a run are loaded with an acceleration plan, which is chosen once.

A resumed run uses the plan that its first start chose, so that all its numbers are computed in the same way.
"""

from collections.abc import Sequence

from heatproof.data.base import Dataset, Item
from heatproof.data.labels import check_classes, class_indices
from heatproof.data.loading import load
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan, total_passes
from heatproof.models.model import Model
from heatproof.passes.acceleration import Measured, Plan, accelerate
from heatproof.passes.counting import TYPICAL_SHAPE, ImageShape
from heatproof.store import Manifest
from heatproof.store.manifest import AccelerationEntry, TrialEntry

MEASURED_ON = 4
"""The number of images on which acceleration plans are measured."""


def load_networks(
    experiment: Experiment,
    dataset: Dataset,
    items: Sequence[Item],
    previous: Manifest | None,
    *,
    untrained: bool = False,
) -> list[tuple[Model, Network]]:
    """Load every model of the experiment with its acceleration plan.

    The plan is the one that an earlier start of this run chose; if there is none, the plans are measured now and the fastest is
    chosen.

    Args:
        experiment: the experiment.
        dataset: its data set.
        items: the images of the run, of which the first ones serve for measuring.
        previous: the manifest of the earlier start; None if there was none.
        untrained: whether networks that are to be trained here are taken as they are before, which is enough for an estimate.

    Raises:
        ModelError: a network cannot be loaded.
        DataError: labels are explained, and the data set has class names that the network does not have.
    """
    chosen = {model.digest: model.acceleration for model in previous.models} if previous else {}
    models = [
        (entry.loader.load_untrained() if untrained else entry.loader.load()).with_(
            output=entry.output, memory=experiment.memory, incremental=experiment.incremental
        )
        for entry in experiment.model_entries()
    ]
    networks = []
    for model, work in zip(models, planned_work(experiment, items, models), strict=True):
        if experiment.target == "label":
            check_classes(dataset.class_names, model.class_names, f"target = 'label', {dataset.name} on {model.name}")
        acceleration = chosen.get(model.digest)
        if acceleration is None or acceleration.precision != experiment.precision:
            acceleration = _measure(experiment, dataset, items, model, work)
        indices = class_indices(dataset.class_names, model.class_names)
        networks.append((model, Network(model.digest, dict(acceleration.plan), image_shape(model), acceleration, indices)))
    return networks


def planned_work(experiment: Experiment, items: Sequence[Item], models: Sequence[Model]) -> list[int]:
    """The forward passes of each model's units; a backward pass counts as two."""
    units = plan(experiment, items, [Network("", {}, image_shape(model)) for model in models])
    each = len(units) // len(models)
    return [total_passes(units[i * each : (i + 1) * each]) for i in range(len(models))]


def image_shape(model: Model) -> ImageShape:
    """The shape of the images that the model's preprocessing makes; 224 × 224 pixels of a model without one."""
    height, width = (model.preprocessing.side,) * 2 if model.preprocessing else TYPICAL_SHAPE[1:]
    return len(model.bounds.lower), height, width


def _measure(experiment: Experiment, dataset: Dataset, items: Sequence[Item], model: Model, passes: int) -> AccelerationEntry:
    measured = Measured(Plan())
    if experiment.precision != "plain" and model.preprocessing is not None:
        images = load(dataset, items[:MEASURED_ON], model.preprocessing).images
        if len(images):
            measured = accelerate(model, images.to(model.device, model.dtype), experiment.precision, rows=passes)[1]
    return AccelerationEntry(
        precision=experiment.precision,
        plan=measured.plan.to_dict(),
        label=measured.plan.label,
        speedup=measured.speedup,
        map_error=measured.map_error,
        folded=measured.folded,
        not_folded=tuple(measured.not_folded),
        tried=tuple(
            TrialEntry(label=trial.plan.label, speedup=trial.speedup, map_error=trial.map_error, refused=trial.refused)
            for trial in measured.trials
        ),
    )
