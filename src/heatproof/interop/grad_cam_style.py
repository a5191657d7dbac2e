"""Any method of ours by the call of the package grad-cam: `cam(input_tensor=…, targets=[…])` returns heat maps in [0, 1].

    heat = ReLU(Σ_c A_c) / max

The raw map is summed over the channels of the input. Negative values become 0 and the largest becomes 1, image by image, as the
package shows maps. The raw, signed map is `method.attribute(…)`.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from heatproof.core.errors import UsageError
from heatproof.methods.base import Method
from heatproof.models.model import Model

CLASS_TARGET = "ClassifierOutputTarget"
"""The class of grad-cam that stands for a class and for nothing else."""


class GradCamStyle:
    """A method bound to a model, with the call of the package grad-cam.

    Args:
        method: The method, such as `GradCam(layer="layer4")`.
        model: The network, with the bounds of its input.

    >>> import torch
    >>> from heatproof.interop import GradCamStyle
    >>> from heatproof.methods import GradCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> with GradCamStyle(GradCam(), model) as cam:
    ...     heat = cam(input_tensor=images)
    >>> heat.shape, float(heat.min()) >= 0, float(heat.max()) <= 1
    ((2, 28, 28), True, True)
    """

    def __init__(self, method: Method, model: Model) -> None:
        self.method, self.model = method, model

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is to be released."""

    def __call__(
        self, input_tensor: Tensor, targets: Sequence[Callable[[Tensor], Tensor]] | None = None, *, seed: int = 0
    ) -> "np.ndarray[Any, Any]":
        """The heat maps `[b, *space]` in [0, 1].

        Args:
            input_tensor: The images `[b, c, …]` in model space.
            targets: None for each image's top-1 class, or one target an image: `ClassifierOutputTarget(k)`, which chooses the
                class of the model's output, or any function of the outputs `[k]` of one image, which is explained itself.
            seed: The seed of the method's random draws.

        Raises:
            UsageError: There is not one target for each image.
        """
        images = input_tensor.detach()
        if targets is None:
            return _heat(self.method.attribute(self.model, images, seed=seed).values)
        if len(targets) != len(images):
            raise UsageError(f"targets: expected {len(images)}, one for each image, or None, got {len(targets)}")
        if all(_is_class(target) for target in targets):
            classes = [int(target.category) for target in targets]  # type: ignore[attr-defined]
            return _heat(self.method.attribute(self.model, images, classes, seed=seed).values)
        parts = [
            self.method.attribute(self.model.with_(output=_function(target)), image[None], seed=seed).values
            for image, target in zip(images, targets, strict=True)
        ]
        return _heat(torch.cat(parts))


def _is_class(target: Any) -> bool:
    """Whether a target stands for the model's own output of a class; others with a category explain a function of it."""
    return any(cls.__name__ == CLASS_TARGET for cls in type(target).__mro__) and hasattr(target, "category")


def _function(target: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The target as a function of the output matrix and of a class, on which it does not depend."""

    def explained(outputs: Tensor, _: Tensor) -> Tensor:
        return torch.stack([target(row).reshape(()) for row in outputs])

    return explained


def _heat(values: Tensor) -> "np.ndarray[Any, Any]":
    positive = values.sum(1).relu()
    largest = positive.flatten(1).amax(1).view(-1, *[1] * (positive.ndim - 1))
    return torch.where(largest > 0, positive / largest, 0.0).cpu().numpy()
