"""The training loop.

Every random number comes from the seed: the order of the examples and the noise from generators of their own, dropout from a
generator that is put back as it was. On one machine, with one number of threads, equal arguments give equal weights.

Cost: epochs × n rows forward and backward, and n rows forward at the end. Each epoch is logged, at level INFO.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from heatproof.core.errors import ModelError, TensorError
from heatproof.core.seeds import derive, seed_of
from heatproof.models.model import unwrap
from heatproof.training.training_config import TrainingConfig

_log = logging.getLogger(__name__)

_ROWS = 256
"""Rows of a chunk where no gradient is needed."""


@dataclass(frozen=True)
class FittedNetwork:
    """What came of a training.

    losses      mean cross entropy of each epoch, in nats, as met while training.
    accuracies  share of the examples put in their class in each epoch, as met while training.
    accuracy    the same at the end, in eval mode and without noise.
    """

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    accuracy: float


def fit(
    module: nn.Module, images: Float[Tensor, "n *shape"], labels: Int[Tensor, " n"], config: TrainingConfig, *, seed: int
) -> FittedNetwork:
    """Train the module in place, on the device it is on. It is left in eval mode without gradients, also after an exception.

    Raises:
        TensorError: no examples, or a label that is none of the outputs.
        ModelError: nothing to train, or a loss that is not finite.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise ModelError(f"{type(module).__name__}: expected parameters that take a gradient, got none; call requires_grad_(True)")
    module.eval()
    _check_labels(module, images, labels)
    optimiser = _optimiser(parameters, config)
    order, noise = _generator(seed, "order", torch.device("cpu")), _generator(seed, "noise", images.device)
    history = []
    try:
        with _own_chance(seed, images.device), torch.enable_grad():
            module.train()
            for epoch in range(1, config.epochs + 1):
                _set_rate(optimiser, epoch, config)
                history.append(_epoch(module, images, labels, optimiser, config, order, noise))
                _check_loss(history[-1][0], epoch, config)
                _log.info("epoch %d of %d: loss %.3f, accuracy %.3f", epoch, config.epochs, *history[-1])
    finally:
        module.zero_grad()
        module.eval()
    losses, accuracies = zip(*history, strict=True)
    return FittedNetwork(losses, accuracies, share_right(lambda rows: unwrap(module(rows)), images, labels))


@torch.no_grad()
def share_right(outputs: Callable[[Tensor], Tensor], images: Float[Tensor, "n *shape"], labels: Int[Tensor, " n"]) -> float:
    """Share of the images whose largest output is that of their label."""
    pairs = zip(torch.split(images, _ROWS), torch.split(labels, _ROWS), strict=True)
    return sum(int((outputs(rows).argmax(1) == wanted).sum()) for rows, wanted in pairs) / len(images)


def _epoch(
    module: nn.Module,
    images: Tensor,
    labels: Int[Tensor, " n"],
    optimiser: torch.optim.Optimizer,
    config: TrainingConfig,
    order: torch.Generator,
    noise: torch.Generator,
) -> tuple[float, float]:
    """Every example once; mean loss and share right. Ends at the first loss that is not finite."""
    total, right = 0.0, 0
    shuffled = torch.randperm(len(images), generator=order).to(images.device)
    for rows in torch.split(shuffled, config.batch_size):
        batch, wanted = images[rows], labels[rows]
        if config.noise:
            batch = batch + config.noise * torch.rand(batch.shape, generator=noise, device=batch.device, dtype=batch.dtype)
        outputs = unwrap(module(batch))
        loss = cross_entropy(outputs, wanted)
        total += loss.item() * len(rows)
        if not math.isfinite(total):
            break
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships it without types
        optimiser.step()
        right += int((outputs.argmax(1) == wanted).sum())
    return total / len(images), right / len(images)


def _check_labels(module: nn.Module, images: Tensor, labels: Tensor) -> None:
    if not len(images):
        raise TensorError("images: expected at least one example to train on, got none; widen the data set")
    with torch.no_grad():
        outputs = unwrap(module(images[:1]))
    low, high = int(labels.min()), int(labels.max())
    if outputs.ndim != 2 or low < 0 or high >= outputs.shape[1]:
        raise TensorError(
            f"labels: expected 0 to k − 1 for outputs [b, k], got {low} to {high} for outputs {list(outputs.shape)}; "
            "give the network as many outputs as there are classes, and every image a label"
        )


def _check_loss(loss: float, epoch: int, config: TrainingConfig) -> None:
    if not math.isfinite(loss):
        raise ModelError(
            f"epoch {epoch} of {config.epochs}: expected a finite loss, got {loss}; "
            f"lower the learning rate, which is {config.learning_rate:g}"
        )


def _optimiser(parameters: list[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adam":
        return torch.optim.Adam(parameters, config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(parameters, config.learning_rate, momentum=0.9, weight_decay=config.weight_decay)


def _set_rate(optimiser: torch.optim.Optimizer, epoch: int, config: TrainingConfig) -> None:
    share = 1 - (epoch - 1) / config.epochs if config.schedule == "linear" else 1.0
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * share


def _generator(seed: int, what: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed_of(derive("training", what, seed)))


@contextmanager
def _own_chance(seed: int, device: torch.device) -> Iterator[None]:
    """What modules draw from the global generators inside depends on the seed alone; outside they are as they were."""
    chance = seed_of(derive("training", "modules", seed))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(chance)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(chance)
        yield
