"""A network that is trained again, on changed images of its training set: the same recipe, and other weights to begin with.

The n-th network has the same first weights and sees the examples in the same order, whatever was changed in the images: networks of
different changes are paired. Each training is stored in the user's cache as soon as it ends, so that what was interrupted goes on.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.data.base import Item
from heatproof.models.model import Model
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.trained import Trained
from heatproof.training.weight_cache import cache_file, read_weights, write_weights

_log = logging.getLogger(__name__)

Examples = tuple[Float[Tensor, "n *shape"], Int[Tensor, " n"]]


def retrained(
    recipe: Trained,
    nth: int,
    changed: Sequence[Any],
    items: list[Item],
    examples: Callable[[], Examples],
    *,
    device: torch.device | None = None,
) -> tuple[Model, FittedNetwork]:
    """The n-th network of a recipe, trained on changed images, and the history of its training.

    Args:
        recipe: the architecture and the settings of the training. Its own network is none of these: its seeds are its own.
        nth: the number of the network, from 0; it decides the first weights and the order of the examples.
        changed: what decides the change of the images, as plain data.
        items: the images that are changed.
        examples: the changed images and their labels, which are computed only where the network is not in the cache.
        device: the device of the examples and of the network; by default the CPU.

    Raises:
        SettingsError: The architecture has no seed.
        TensorError: A label is not one of the network's outputs.
        ModelError: The loss was not finite.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.training import Trained, TrainingConfig, retrained
    >>> recipe = Trained(architecture=Toy(architecture="mlp", classes=2, width=0.02), training=TrainingConfig(epochs=1))
    >>> examples = torch.linspace(0, 1, 4 * 784).view(4, 1, 28, 28), torch.arange(4) % 2
    >>> first, again, second = (retrained(recipe, nth, ["mine"], [], lambda: examples)[0] for nth in (0, 0, 1))
    >>> first.digest == again.digest, first.digest == second.digest
    (True, False)
    """
    again = recipe.reseeded(1 + nth)
    model = again.architecture.load()
    model = model.with_(name=f"{model.name}, retrained")
    file = cache_file([recipe.to_dict(), "retrained", nth, list(changed)], items)
    cached = read_weights(file, model)
    model.module.to(device or torch.device("cpu"))
    if cached is not None:
        return cached
    images, labels = examples()
    fitted = fit(model.module, images, labels, recipe.training, seed=again.seed, level=logging.DEBUG)
    _log.info("retrained %s, network %d, once: accuracy %.3f on %d images", recipe.architecture, nth, fitted.accuracy, len(images))
    write_weights(file, model, fitted)
    return model, fitted
