"""The estimate of what a run will cost on this machine, made before the run starts."""

import math
from dataclasses import dataclass
from time import perf_counter

import torch

from heatproof.core.settings import Settings
from heatproof.evaluation.checks import check_items, check_networks
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.networks import load_networks, planned_work
from heatproof.metrics.base import ModelMetric
from heatproof.models.model import Model
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.forward import scores
from heatproof.training import Trained

TIMED_PASSES = 16
"""The number of forward passes in the chunk that is timed."""
SECONDS_OF_A_UNIT = 0.03
"""What a unit takes beside its passes: its images are read, its numbers and maps are written."""


@dataclass(frozen=True)
class CostEstimate:
    """The estimated cost of a run.

    Attributes:
        images: the number of images of the data set.
        passes: the number of forward passes; a backward pass counts as two forward passes.
        equivalents: the number of full forward passes with the same work, in which a partial pass counts as a part of a pass.
        seconds: the time that this work takes on this machine.
        trainings: the number of networks that are trained for it first, since they are not in the cache.
        training_seconds: the time that these trainings take.
    """

    images: int
    passes: int
    equivalents: float
    seconds: float
    trainings: int = 0
    training_seconds: float = 0.0


def estimate(experiment: Experiment) -> CostEstimate:
    """Estimate the cost of an experiment: the work of its plan, times the duration of a forward pass through each network.

    The duration is measured with the acceleration plan that the run will use. A method that stops early because its tolerance is
    reached, or a search that ends early, takes less than the estimate. No network is trained. Cost: a few chunks of passes per
    network.

    Args:
        experiment: the experiment, which is not run.

    Raises:
        DataError: the images cannot be listed, or lack the regions or labels that are needed.
        ModelError: a network cannot be loaded, or lacks what a metric needs.
        SettingsError: settings of a metric do not fit the images or a network.
    """
    dataset = experiment.data()
    items = dataset.items()
    check_items(experiment, dataset, items)
    scored = len(items) * len(experiment.seeds) * len(list(experiment.method_entries()))
    metrics = [metric for metric in experiment.metric_list() if isinstance(metric, ModelMetric)]
    units = math.ceil(scored / experiment.batch) * len(list(experiment.model_entries()))
    equivalents, seconds, pace = 0.0, units * SECONDS_OF_A_UNIT, 0.0
    networks = load_networks(experiment, dataset, items, None, untrained=True)
    check_networks(experiment, dataset, items, networks)
    planned = planned_work(experiment, dataset, items, [model for model, _ in networks])
    for (model, network), each in zip(networks, planned, strict=True):
        images = torch.zeros(1, *network.image_shape).to(model.device, model.dtype)
        fast = apply(Plan.model_validate(network.plan), model, images)
        chunk = images.expand(TIMED_PASSES, *images.shape[1:])
        target = torch.zeros(TIMED_PASSES, dtype=torch.long, device=model.device)
        batch = images.expand(min(experiment.batch, len(items)), *images.shape[1:])
        saved = scored * sum(metric.cost(network.image_shape).forward - metric.work(fast, batch) / len(batch) for metric in metrics)
        equivalents += each - saved
        pace = min(_seconds(fast, chunk, target) for _ in range(5)) / TIMED_PASSES
        seconds += (each - saved) * pace
    trainings = [passes for loader in _trained(experiment) if (passes := loader.passes_to_train())]
    return CostEstimate(len(items), sum(planned), equivalents, seconds, len(trainings), sum(trainings) * pace)


def _trained(experiment: Experiment) -> list[Trained]:
    """The networks that are trained once, for the run to explain or for its metrics to compare with."""
    given: list[Settings] = [entry.loader for entry in experiment.model_entries()]
    given += [metric for metric in experiment.metric_list() if metric.retraining((1,)) is None]
    return [*dict.fromkeys(each for settings in given for each in settings.nested() if isinstance(each, Trained))]


def _seconds(model: Model, chunk: torch.Tensor, target: torch.Tensor) -> float:
    started = perf_counter()
    scores(model, chunk, target).sum().item()
    return perf_counter() - started
