"""The networks of a run: loaded once, and how their rows are computed decided once, so that a resumed run goes on as it began."""

from collections.abc import Sequence

from heatproof.data.base import Dataset, Item
from heatproof.data.labels import check_classes, class_indices
from heatproof.data.loading import load
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan, total_rows
from heatproof.models.model import Model
from heatproof.passes.acceleration import Measured, Plan, accelerate
from heatproof.store import Manifest
from heatproof.store.manifest import AccelerationEntry, TrialEntry

MEASURED_ON = 4
"""Images that plans are measured on."""


def load_networks(
    experiment: Experiment, dataset: Dataset, items: Sequence[Item], previous: Manifest | None
) -> list[tuple[Model, Network]]:
    """Every model of the experiment with its plan: the one an earlier start of this run chose, else the fastest measured now.

    Raises:
        ModelError: a network cannot be loaded.
        DataError: labels are explained, and the data set has class names that the network does not have.
    """
    chosen = {model.digest: model.acceleration for model in previous.models} if previous else {}
    unknown = [Network("", {}) for _ in experiment.models]
    rows = total_rows(plan(experiment, items, unknown)) // len(unknown)
    found = []
    for entry in experiment.model_entries():
        model = entry.loader.load().with_(output=entry.output, memory=experiment.memory, incremental=experiment.incremental)
        if experiment.target == "label":
            check_classes(dataset.class_names, model.class_names, f"target = 'label', {dataset.name} on {model.name}")
        acceleration = chosen.get(model.digest)
        if acceleration is None or acceleration.precision != experiment.precision:
            acceleration = _measure(experiment, dataset, items, model, rows)
        indices = class_indices(dataset.class_names, model.class_names)
        found.append((model, Network(model.digest, dict(acceleration.plan), acceleration, indices)))
    return found


def _measure(experiment: Experiment, dataset: Dataset, items: Sequence[Item], model: Model, rows: int) -> AccelerationEntry:
    measured = Measured(Plan())
    if experiment.precision != "plain" and model.preprocessing is not None:
        images = load(dataset, items[:MEASURED_ON], model.preprocessing).images
        if len(images):
            measured = accelerate(model, images.to(model.device, model.dtype), experiment.precision, rows=rows)[1]
    return AccelerationEntry(
        precision=experiment.precision,
        plan=measured.plan.to_dict(),
        label=measured.plan.label,
        speedup=measured.speedup,
        map_error=measured.map_error,
        folded=measured.folded,
        not_folded=tuple(measured.kept),
        tried=tuple(
            TrialEntry(label=trial.plan.label, speedup=trial.speedup, map_error=trial.map_error, refused=trial.refused)
            for trial in measured.trials
        ),
    )
