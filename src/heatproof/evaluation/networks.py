"""The networks of a run are loaded with an acceleration plan, which is chosen once.

A resumed run uses the plan that its first start chose, so that all its numbers are computed in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from heatproof.core.errors import DataError, ModelError
from heatproof.core.settings import exports
from heatproof.data.base import Dataset, Item
from heatproof.data.labels import check_classes, class_indices
from heatproof.data.loading import load
from heatproof.evaluation.experiment import Experiment, ModelChoice
from heatproof.evaluation.plan import Network, plan, total_passes
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.models.model import Model
from heatproof.models.outputs import Output
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
        _configured(entry.loader.load_untrained() if untrained else entry.loader.load(), entry, experiment)
        for entry in experiment.model_entries()
    ]
    _check_names(models)
    networks = []
    for model, work in zip(models, planned_work(experiment, dataset, items, models), strict=True):
        if experiment.target == "label":
            check_classes(dataset.class_names, model.class_names, f"target = 'label', {dataset.name} on {model.name}")
        acceleration = chosen.get(model.digest)
        if acceleration is None or acceleration.precision != experiment.precision:
            acceleration = _measure(experiment, dataset, items, model, work)
        indices = class_indices(dataset.class_names, model.class_names)
        shape, output = image_shape(model, dataset), output_settings(model)
        networks.append((model, Network(model.digest, dict(acceleration.plan), shape, acceleration, indices, output, model.name)))
    return networks


def output_settings(model: Model) -> dict[str, Any]:
    """The settings of the output that a model explains. Those of a function, which no registry names, refer to the model's own."""
    output = model.output
    known = isinstance(output, Output) and exports(Output).get(output.name) is type(output)
    return output.to_dict() if known and isinstance(output, Output) else {"name": model.output_label, "own": True}


def with_output(model: Model, settings: Mapping[str, Any]) -> Model:
    """The model with the output of `output_settings`."""
    return model if settings.get("own") else model.with_(output=Output.from_dict(settings))


def planned_work(experiment: Experiment, dataset: Dataset, items: Sequence[Item], models: Sequence[Model]) -> list[int]:
    """The forward passes of each model's units; a backward pass counts as two."""
    units = plan(experiment, items, [Network("", {}, image_shape(model, dataset)) for model in models])
    each = len(units) // len(models)
    return [total_passes(units[i * each : (i + 1) * each]) for i in range(len(models))]


def image_shape(model: Model, dataset: Dataset) -> ImageShape:
    """The shape of the tensors of a data set, or of those that the model's preprocessing makes; 224 × 224 pixels without one.

    Raises:
        DataError: The tensors have another number of channels than the model's bounds.
    """
    channels, shape = len(model.bounds.lower), dataset.image_shape
    if shape is None:
        height, width = (model.preprocessing.side,) * 2 if model.preprocessing else TYPICAL_SHAPE[1:]
        return channels, height, width
    if shape[0] != channels:
        raise DataError(
            f"{dataset.name} on {model.name}: expected images [{channels}, h, w], as many channels as the model's bounds, got "
            f"{list(shape)}; move the channels first, as in images.permute(0, 3, 1, 2), or mend the bounds; signals "
            "[n, c, t] are given as list(signals), or with labels"
        )
    return shape


def _configured(model: Model, entry: ModelChoice, experiment: Experiment) -> Model:
    """The model with the settings of the experiment; what the experiment leaves open is the model's own."""
    return model.with_(
        name=(entry.label or model.name) + entry.suffix,
        output=entry.output or model.output,
        memory=experiment.memory or model.memory,
        incremental=experiment.incremental and model.incremental,
    )


def _check_names(models: Sequence[Model]) -> None:
    """Records refer to a network and its output by the name of the network, so that two different networks need two names."""
    digests: dict[str, str] = {}
    for model in models:
        if digests.setdefault(model.name, model.digest) != model.digest:
            raise ModelError(
                f"{model.name}: expected networks with different names, got two of this name; give them names, as in "
                'model={"a": first, "b": second} or Model(…, name="a")'
            )


def _measure(experiment: Experiment, dataset: Dataset, items: Sequence[Item], model: Model, passes: int) -> AccelerationEntry:
    measured = Measured(Plan())
    if experiment.precision != "plain" and (model.preprocessing is not None or dataset.image_shape is not None):
        images = load(dataset, items[:MEASURED_ON], preprocessing_of(model, dataset)).images
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
