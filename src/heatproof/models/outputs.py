"""Outputs: the scalar that is explained for each image, as a function of the output matrix z of the network and a class c.

Logit                     z_c
Probability               p_c = softmax(z)_c
LogProbability            log p_c
ProbabilityWeightedLogit  p_c z_c with p_c held fixed, so that its gradient is p_c ∇z_c
Margin                    z_c − max_{j≠c} z_j
Regression                output number `index`, whatever the target
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.settings import Settings

__all__ = ["LogProbability", "Logit", "Margin", "Output", "Probability", "ProbabilityWeightedLogit", "Regression"]


class Output(Settings, ABC):
    """An output maps the output matrix of the network and one target for each image to one scalar for each image."""

    home: ClassVar[str] = "heatproof.models.outputs"
    family: ClassVar[str] = "output"

    @abstractmethod
    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The explained scalar of each image."""

    def default_target(self, outputs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """The target if the caller names none: the class with the largest output."""
        return outputs.argmax(1)


class Logit(Output):
    """z_c, the score before any softmax.

    >>> import torch
    >>> from heatproof.models import Logit
    >>> Logit()(torch.tensor([[1.0, 3.0]]), torch.tensor([1]))
    tensor([3.])
    """

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return _pick(outputs, target)


class Probability(Output):
    """softmax(z)_c. Its gradient vanishes where the network is certain.

    >>> import torch
    >>> from heatproof.models import Probability
    >>> Probability()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor([0.5000])
    """

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return _pick(outputs.softmax(1), target)


class LogProbability(Output):
    """log softmax(z)_c.

    >>> import torch
    >>> from heatproof.models import LogProbability
    >>> LogProbability()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor([-0.6931])
    """

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return _pick(outputs.log_softmax(1), target)


class ProbabilityWeightedLogit(Output):
    """p_c z_c, with p_c treated as a constant. An average over inputs then weights them by confidence, which breaks completeness.

    >>> import torch
    >>> from heatproof.models import ProbabilityWeightedLogit
    >>> ProbabilityWeightedLogit()(torch.tensor([[3.0, 3.0]]), torch.tensor([1]))
    tensor([1.5000])
    """

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return _pick(outputs.softmax(1), target).detach() * _pick(outputs, target)


class Margin(Output):
    """z_c minus the largest other logit.

    Raises:
        SettingsError: On a call, if the network has a single output.

    >>> import torch
    >>> from heatproof.models import Margin
    >>> Margin()(torch.tensor([[1.0, 3.0, 2.5]]), torch.tensor([1]))
    tensor([0.5000])
    """

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        if outputs.shape[1] < 2:
            raise SettingsError(
                "margin: expected a network with at least 2 outputs, got 1; explain `logit` or `regression` instead"
            )
        rivals = outputs.scatter(1, target[:, None], torch.finfo(outputs.dtype).min)
        return _pick(outputs, target) - rivals.amax(1)


class Regression(Output):
    """One output of a regression network, number `index`, in its own units.

    Raises:
        SettingsError: On a call, if the network has no such output.

    >>> import torch
    >>> from heatproof.models import Regression
    >>> Regression(index=1)(torch.tensor([[1.0, 3.0]]), torch.tensor([0]))
    tensor([3.])
    """

    index: NonNegativeInt = 0

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        if self.index >= outputs.shape[1]:
            raise SettingsError(f"regression: index: expected 0 to {outputs.shape[1] - 1}, the network's outputs, got {self.index}")
        return outputs[:, self.index]

    def default_target(self, outputs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        return torch.full((len(outputs),), self.index, device=outputs.device)


def _pick(outputs: Tensor, target: Tensor) -> Tensor:
    return outputs.gather(1, target[:, None])[:, 0]
