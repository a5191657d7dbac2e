"""What a metric gets of a method: a function that explains images, bound to one method and one model."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from heatproof.core.seeds import derive, seed_of
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.models.model import Model


@runtime_checkable
class Explain(Protocol):
    """A function that explains images with one fixed method and one default model; `bound` makes one."""

    def __call__(self, images: Tensor, target: Tensor, seed: int, model: Model | None = None, /) -> Attribution:
        """Explain a batch of images.

        Args:
            images: The images `[b, c, …]`.
            target: The class to explain for each image `[b]`.
            seed: The seed of all random draws.
            model: Another network to explain; None means the default model.
        """


def bound(method: Method, model: Model) -> Explain:
    """Return a function that explains images with this method and, unless it is given another model, with this model.

    The images may lie outside the model's bounds, since a metric may have changed them.

    >>> import torch
    >>> from heatproof.methods import Gradient
    >>> from heatproof.metrics.explain import bound
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> explain = bound(Gradient(), model)
    >>> explain(torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28), torch.tensor([3, 7]), 0).values.shape
    torch.Size([2, 1, 28, 28])
    """

    def explain(images: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        return method.attribute_changed(other or model, images, target, seed=seed)

    return explain


def seed_of_draw(seed: int, draw: int) -> int:
    """The seed of the maps of one of several draws of a metric: the metric's own for the first, so that it needs no further map.

    A method that draws random numbers draws others for each, so that the spread over draws is that of the whole score.

    >>> from heatproof.metrics.explain import seed_of_draw
    >>> seed_of_draw(7, 0), seed_of_draw(7, 1) == seed_of_draw(7, 2)
    (7, False)
    """
    return seed if draw == 0 else seed_of(derive(seed, "maps", draw))
