"""The training loop.

Every random number follows from the seed: the order of the examples and the noise from generators of their own, dropout from the
global generator, whose state is restored afterwards. On one machine, with one number of threads, equal arguments give equal
weights.

Cost: for n examples, epochs × n forward and backward passes, and n forward passes at the end. Each epoch is logged.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.core.seeds import derive, seed_of
from heatproof.models.output_matrix import output_matrix
from heatproof.numerics.adam import Adam
from heatproof.numerics.momentum import Momentum
from heatproof.training.supervision import Supervision
from heatproof.training.training_config import TrainingConfig

_log = logging.getLogger(__name__)

_ROWS = 256
"""The number of images in a chunk where no gradient is needed."""


Change = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class FittedNetwork:
    """The history of a training.

    losses      mean cross entropy in each epoch, in nats, accumulated during the epoch; of a quantity, the mean squared error.
    accuracies  share of the examples that were classified correctly in each epoch, accumulated likewise; of a quantity, the share
                of its variance that is explained.
    accuracy    the same share at the end, in eval mode and without noise.
    """

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    accuracy: float


def fit(
    module: nn.Module,
    images: Float[Tensor, "n *shape"],
    labels: Shaped[Tensor, " n"],
    config: TrainingConfig,
    *,
    seed: int,
    change: Change | None = None,
    level: int = logging.INFO,
) -> FittedNetwork:
    """Train the module in place, on its device. Afterwards it is in eval mode and without gradients, also after an exception.

    Args:
        module: the network; it returns outputs `[b, k]`. With one output, this is the log-odds of class 1, or the quantity.
        images: examples in model space.
        labels: the class of each example, from 0 to k − 1; or floating-point numbers, a quantity that the one output predicts.
        config: the settings of the training.
        seed: decides the order of the examples, the noise and dropout.
        change: `change(images, epoch)` gives what the network sees of the images of a step, by default these themselves.
        level: the level at which each epoch is logged.

    Raises:
        TensorError: There are no examples, or a label is not one of the outputs.
        ModelError: The module has nothing to train, or the loss is not finite.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.training import TrainingConfig, fit
    >>> images = torch.cat([torch.zeros(8, 1, 28, 28), torch.ones(8, 1, 28, 28)])
    >>> network = Toy(architecture="mlp", classes=2, width=0.05).load().module
    >>> fitted = fit(network, images, torch.arange(16) // 8, TrainingConfig(epochs=10, batch_size=4), seed=0)
    >>> len(fitted.losses), fitted.accuracy
    (10, 1.0)
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise ModelError(f"{type(module).__name__}: expected parameters that take a gradient, got none; call requires_grad_(True)")
    module.eval()
    supervision = Supervision(labels)
    _check_labels(module, images, labels, supervision)
    descents = [(Adam if config.optimiser == "adam" else Momentum)(config.learning_rate) for _ in parameters]
    order, noise = _generator(seed, "order", torch.device("cpu")), _generator(seed, "noise", images.device)
    history = []
    epoch = 0

    def seen(batch: Tensor) -> Tensor:
        return batch if change is None else change(batch, epoch)

    @torch.no_grad()
    def step() -> None:
        rate, decay = _rate(epoch, config), config.weight_decay
        for parameter, descent in zip(parameters, descents, strict=True):
            if parameter.grad is not None:
                descent.rate = rate
                slope = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
                parameter.copy_(descent.step(parameter, slope))

    try:
        with _isolated_random_state(seed, images.device), torch.enable_grad():
            module.train()
            for epoch in range(1, config.epochs + 1):
                history.append(_epoch(module, images, labels, supervision, step, config, order, noise, seen))
                _check_loss(history[-1][0], epoch, config)
                _log.log(level, "epoch %d of %d: loss %.3f, accuracy %.3f", epoch, config.epochs, *history[-1])
    finally:
        module.zero_grad()
        module.eval()
    losses, accuracies = zip(*history, strict=True)
    return FittedNetwork(losses, accuracies, _mean_credit(module, images, labels, supervision))


@torch.no_grad()
def _mean_credit(module: nn.Module, images: Tensor, labels: Tensor, supervision: Supervision) -> float:
    pairs = zip(torch.split(images, _ROWS), torch.split(labels, _ROWS), strict=True)
    credits = [supervision.credit(output_matrix(module(chunk), len(chunk)), each) for chunk, each in pairs]
    return float(torch.cat(credits).double().mean())


def _epoch(
    module: nn.Module,
    images: Tensor,
    labels: Shaped[Tensor, " n"],
    supervision: Supervision,
    step: Callable[[], None],
    config: TrainingConfig,
    order: torch.Generator,
    noise: torch.Generator,
    seen: Callable[[Tensor], Tensor],
) -> tuple[float, float]:
    """One pass over all examples, in steps; the mean loss and the mean credit. It ends at the first loss that is not finite."""
    total, correct = 0.0, 0.0
    shuffled = torch.randperm(len(images), generator=order).to(images.device)
    for positions in torch.split(shuffled, config.batch_size):
        batch, classes = seen(images[positions]), labels[positions]
        if config.noise:
            batch = batch + config.noise * torch.rand(batch.shape, generator=noise, device=batch.device, dtype=batch.dtype)
        outputs = output_matrix(module(batch), len(batch))
        loss = supervision.loss(outputs, classes)
        total += loss.item() * len(positions)
        if not math.isfinite(total):
            break
        module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships it without types
        step()
        correct += float(supervision.credit(outputs, classes).double().sum())
    return total / len(images), correct / len(images)


def _check_labels(module: nn.Module, images: Tensor, labels: Tensor, supervision: Supervision) -> None:
    if not len(images):
        raise TensorError("images: expected at least one example to train on, got none; widen the data set")
    with torch.no_grad():
        outputs = output_matrix(module(images[:1]), 1)
    supervision.check(outputs, labels)


def _check_loss(loss: float, epoch: int, config: TrainingConfig) -> None:
    if not math.isfinite(loss):
        raise ModelError(
            f"epoch {epoch} of {config.epochs}: expected a finite loss, got {loss}; "
            f"lower the learning rate, which is {config.learning_rate:g}"
        )


def _rate(epoch: int, config: TrainingConfig) -> float:
    return config.learning_rate * (1 - (epoch - 1) / config.epochs if config.schedule == "linear" else 1.0)


def _generator(seed: int, what: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed_of(derive("training", what, seed)))


@contextmanager
def _isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, random numbers of the global generators follow from the seed alone; outside, their states are as before."""
    module_seed = seed_of(derive("training", "modules", seed))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(module_seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(module_seed)
        yield
