"""The networks of a run are loaded with an acceleration plan, which is chosen once.

A resumed run uses the plan that its first start chose, so that all its numbers are computed in the same way.
"""

from collections.abc import Sequence

from heatproof.data.base import Dataset, Item
from heatproof.data.loading import load
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan, total_passes
from heatproof.models.model import Model
from heatproof.passes.acceleration import Measured, Plan, accelerate
from heatproof.store import Manifest
from heatproof.store.manifest import AccelerationEntry, TrialEntry

MEASURED_ON = 4
"""The number of images on which acceleration plans are measured."""


def load_networks(
    experiment: Experiment, dataset: Dataset, items: Sequence[Item], previous: Manifest | None
) -> list[tuple[Model, Network]]:
    """Load every model of the experiment with its acceleration plan.

    The plan is the one that an earlier start of this run chose; if there is none, the plans are measured now and the fastest is
    chosen.

    Args:
        experiment: the experiment.
        dataset: its data set.
        items: the images of the run, of which the first ones serve for measuring.
        previous: the manifest of the earlier start; None if there was none.

    Raises:
        ModelError: a network cannot be loaded.
    """
    chosen = {model.digest: model.acceleration for model in previous.models} if previous else {}
    unknown = [Network("", {}) for _ in experiment.models]
    passes = total_passes(plan(experiment, items, unknown)) // len(unknown)
    networks = []
    for entry in experiment.model_entries():
        model = entry.loader.load().with_(output=entry.output, memory=experiment.memory, incremental=experiment.incremental)
        acceleration = chosen.get(model.digest)
        if acceleration is None or acceleration.precision != experiment.precision:
            acceleration = _measure(experiment, dataset, items, model, passes)
        networks.append((model, Network(model.digest, dict(acceleration.plan), acceleration)))
    return networks


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
        not_folded=tuple(measured.kept),
        tried=tuple(
            TrialEntry(label=trial.plan.label, speedup=trial.speedup, map_error=trial.map_error, refused=trial.refused)
            for trial in measured.trials
        ),
    )
