"""What a run will cost on this machine, before it starts."""

from dataclasses import dataclass
from time import perf_counter

import torch

from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.networks import load_networks, planned_work
from heatproof.metrics.base import ModelMetric
from heatproof.models.model import Model
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.forward import scores

TIMED_ROWS = 16


@dataclass(frozen=True)
class CostEstimate:
    """What a run asks for, and what that takes.

    images   of the data set.
    rows     forward rows, a backward row counted as two.
    work     the same in work: a row of which only a part is computed counts as that part.
    seconds  the work at the rate of this machine.
    """

    images: int
    rows: int
    work: float
    seconds: float


def estimate(experiment: Experiment) -> CostEstimate:
    """Work of the plan times the time of a row, measured on each network by the plan it will run with.

    A method that stops when it has enough, or a search that ends early, takes less. Cost: a few chunks a network.

    Raises:
        DataError: The images cannot be listed.
        ModelError: A network cannot be loaded.
    """
    dataset = experiment.data()
    items = dataset.items()
    scored = len(items) * len(experiment.seeds) * len(list(experiment.method_entries()))
    metrics = [metric for metric in experiment.metric_list() if isinstance(metric, ModelMetric)]
    work = seconds = 0.0
    networks = load_networks(experiment, dataset, items, None)
    planned = planned_work(experiment, items, [model for model, _ in networks])
    for (model, network), each in zip(networks, planned, strict=True):
        images = torch.zeros(1, *network.image_shape).to(model.device, model.dtype)
        fast = apply(Plan.model_validate(network.plan), model, images)
        rows = images.expand(TIMED_ROWS, *images.shape[1:])
        target = torch.zeros(TIMED_ROWS, dtype=torch.long, device=model.device)
        batch = images.expand(min(experiment.batch, len(items)), *images.shape[1:])
        spared = scored * sum(
            metric.cost(network.image_shape).forward - metric.work(fast, batch) / len(batch) for metric in metrics
        )
        work += each - spared
        seconds += (each - spared) * min(_timed(fast, rows, target) for _ in range(5)) / TIMED_ROWS
    return CostEstimate(len(items), sum(planned), work, seconds)


def _timed(model: Model, rows: torch.Tensor, target: torch.Tensor) -> float:
    started = perf_counter()
    scores(model, rows, target).sum().item()
    return perf_counter() - started
