"""Remove and retrain, one pixel and one image at a time; and the toy of the paper, solved by least squares."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from heatproof.models.loaders import Toy
from heatproof.training import Trained, fit

Array = npt.NDArray[np.float64]


def changed(image: Tensor, image_map: Tensor, share: float, keep: bool, mean: list[float]) -> Tensor:
    """Hooker et al., section 3: pixels ranked by magnitude; the first ones get the mean of the training set, or all others do."""
    channels, height, width = image.shape
    relevance = {(i, j): sum(abs(float(image_map[c, i, j])) for c in range(channels)) for i in range(height) for j in range(width)}
    ranked = sorted(relevance, key=lambda place: -relevance[place])
    first, result = ranked[: round(share * height * width)], image.clone()
    for i, j in relevance:
        if ((i, j) in first) != keep:
            for c in range(channels):
                result[c, i, j] = mean[c]
    return result


def probabilities(recipe: Trained, nth: int, train: Tensor, labels: Tensor, test: Tensor, target: Tensor) -> list[float]:
    """What the n-th new network, trained on the one, says of the other: the probability of the class of each image."""
    architecture = recipe.architecture
    assert isinstance(architecture, Toy)
    module = architecture.model_copy(update={"seed": architecture.seed + 1 + nth}).load().module
    fit(module, train, labels, recipe.training, seed=recipe.seed + 1 + nth)
    with torch.no_grad():
        return [float(module(image[None])[0].softmax(0)[label]) for image, label in zip(test, target, strict=True)]


def toy(seed: int, n: int) -> tuple[Array, Array, Array]:
    """x = a z / 10 + d η + ε / 10 and y = [z > 0]; a is zero but for the first 4 of 16 features. x `[n, 16]`, y `[n]`, and a."""
    random = np.random.default_rng(seed)
    a, d = np.concatenate([random.normal(size=4), np.zeros(12)]), random.normal(size=16)
    z, eta, noise = random.normal(size=(n, 1)), random.normal(size=(n, 1)), random.normal(size=(n, 16))
    return a * z / 10 + d * eta + noise / 10, (z[:, 0] > 0).astype(np.float64), a


def least_squares(x: Array, y: Array) -> Callable[[Array], Array]:
    """The decision of the linear classifier that fits −1 and 1 best."""
    weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], 2 * y - 1, rcond=None)[0]
    return lambda other: (np.c_[other, np.ones(len(other))] @ weights > 0).astype(np.float64)
