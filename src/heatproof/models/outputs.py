"""Outputs: the scalar that is explained for each image, as a function of the output matrix of the network and a class c.

Logit                     z_c
Probability               p_c = softmax(z)_c
LogProbability            log p_c
ProbabilityWeightedLogit  p_c z_c with p_c held fixed, so that its gradient is p_c ∇z_c
Margin                    z_c − max_{j≠c} z_j
Regression                output number `index`, for which there are no classes
SegmentedClass            Σ_p z_c(p) over the pixels p that a segmentation gives to class c, or over all pixels

z the logits of the classes. A network need not return them (see `models/scale.py`): one that ends in a softmax returns p, and no
softmax is taken of it a second time. A network with one output decides between two classes: its output is the log-odds z of class
1, and that of class 0 is −z, so that p_1 = sigmoid(z), p_0 = sigmoid(−z), and the margins are ±z.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.settings import Settings
from heatproof.models.scale import Scale, log_probabilities, logits, per_class, probabilities

__all__ = [
    "LogProbability",
    "Logit",
    "Margin",
    "Output",
    "Probability",
    "ProbabilityWeightedLogit",
    "Regression",
    "SegmentedClass",
]

Kind = Literal["score", "probability", "log-probability", "regression"]


class Output(Settings, ABC):
    """An output maps the output matrix of the network and one target for each image to one scalar for each image."""

    home: ClassVar[str] = "heatproof.models.outputs"
    family: ClassVar[str] = "output"

    kind: ClassVar[Kind]
    """What the scalar is: the score of a class, its probability or the logarithm of that, or a quantity for which there are no
    classes.
    """

    of_pixels: ClassVar[bool] = False
    """Whether the network gives numbers for each pixel, which `per_image` makes one row of outputs for each image."""

    def per_image(self, outputs: Float[Tensor, "b k *space"]) -> Float[Tensor, "b classes *rest"]:
        """The output matrix made of what the network returned, if that has an axis for places; by default it is left as it is."""
        return outputs

    @property
    def class_dependent(self) -> bool:
        """Whether the scalar depends on the target: whether there are classes."""
        return self.kind != "regression"

    @abstractmethod
    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        """The explained scalar of each image.

        Args:
            outputs: The output matrix of the network `[b, k]`.
            target: The class of each image `[b]`. With one output, classes are 0 and 1; −1 stands for the output itself, as 1 does.
            scale: What the outputs are.
        """


class Logit(Output):
    """z_c, the score before any softmax; of a network that returns probabilities or their logarithms, its own output number c.

    >>> import torch
    >>> from heatproof.models import Logit
    >>> Logit()(torch.tensor([[1.0, 3.0]]), torch.tensor([1]))
    tensor([3.])
    >>> Logit()(torch.tensor([[3.0], [3.0]]), torch.tensor([0, 1]))  # one output: the log-odds of class 1
    tensor([-3.,  3.])
    """

    kind: ClassVar[Kind] = "score"

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        return _pick(per_class(outputs, scale), target)


class Probability(Output):
    """softmax(z)_c. Its gradient vanishes where the network is certain.

    >>> import torch
    >>> from heatproof.models import Probability
    >>> Probability()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor([0.5000])
    """

    kind: ClassVar[Kind] = "probability"

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        return _pick(probabilities(outputs, scale), target)


class LogProbability(Output):
    """log softmax(z)_c.

    >>> import torch
    >>> from heatproof.models import LogProbability
    >>> LogProbability()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor([-0.6931])
    """

    kind: ClassVar[Kind] = "log-probability"

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        return _pick(log_probabilities(outputs, scale), target)


class ProbabilityWeightedLogit(Output):
    """p_c z_c, with p_c treated as a constant. An average over inputs then weights them by confidence, which breaks completeness.

    Of a network that returns probabilities, z_c is log p_c, which differs from the logit by a number that all classes share.

    >>> import torch
    >>> from heatproof.models import ProbabilityWeightedLogit
    >>> ProbabilityWeightedLogit()(torch.tensor([[3.0, 3.0]]), torch.tensor([1]))
    tensor([1.5000])
    """

    kind: ClassVar[Kind] = "score"

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        z = per_class(outputs, scale) if scale == "logits" else log_probabilities(outputs, scale)
        return _pick(probabilities(outputs, scale), target).detach() * _pick(z, target)


class Margin(Output):
    """z_c minus the largest other logit. With one output z, this is z for class 1 and −z for class 0.

    >>> import torch
    >>> from heatproof.models import Margin
    >>> Margin()(torch.tensor([[1.0, 3.0, 2.5]]), torch.tensor([1]))
    tensor([0.5000])
    """

    kind: ClassVar[Kind] = "score"

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        z = logits(outputs, scale)
        target = _column(target, z)
        return _pick(z, target) - z.scatter(1, target[:, None], torch.finfo(z.dtype).min).amax(1)


class Regression(Output):
    """One output of a regression network, number `index`, in its own units. There are no classes, so that it takes no target.

    index  the number of the output, from 0.

    Raises:
        SettingsError: On a call, if the network has no such output.

    >>> import torch
    >>> from heatproof.models import Regression
    >>> Regression(index=1)(torch.tensor([[1.0, 3.0]]), torch.tensor([-1]))
    tensor([3.])
    """

    kind: ClassVar[Kind] = "regression"

    index: NonNegativeInt = 0

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        if self.index >= outputs.shape[1]:
            raise SettingsError(f"regression: index: expected 0 to {outputs.shape[1] - 1}, the network's outputs, got {self.index}")
        return outputs[:, self.index]


class SegmentedClass(Output):
    """The sum of a class's scores over the pixels of a segmentation, for networks that return `[b, k, h, w]`, or k numbers at each
    place of a signal or a volume.

    region  whose pixels count: `own`, those at which the class has the largest score, so that the sum over classes is that of the
            segmentation; or `all`.

    With one number z for each pixel, z > 0 is class 1 and −z the score of class 0. A class without pixels of its own has the sum 0
    and a gradient of 0. The sum jumps where a pixel changes its class, so that methods that promise completeness miss those jumps.

    >>> import torch
    >>> from heatproof.models import SegmentedClass
    >>> scores = torch.tensor([[[2.0, 0.0, 4.0], [1.0, 3.0, 1.0]]])  # two classes at three places
    >>> SegmentedClass().per_image(scores), SegmentedClass(region="all").per_image(scores)
    (tensor([[6., 3.]]), tensor([[6., 5.]]))
    """

    kind: ClassVar[Kind] = "score"
    of_pixels: ClassVar[bool] = True

    region: Literal["own", "all"] = "own"

    def per_image(self, outputs: Float[Tensor, "b k *space"]) -> Float[Tensor, "b classes"]:
        if outputs.ndim < 3:
            raise SettingsError(
                f"segmented_class: expected a network that returns [b, k, h, w], got {list(outputs.shape)}; explain its logit"
            )
        scores = outputs if outputs.shape[1] > 1 else torch.cat([-outputs, outputs], 1)
        if self.region == "own":
            scores = scores * torch.zeros_like(scores).scatter(1, scores.detach().argmax(1, keepdim=True), 1.0)
        return scores.flatten(2).sum(2)

    def __call__(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"], scale: Scale = "logits") -> Float[Tensor, " b"]:
        return _pick(outputs, target)


def _pick(values: Float[Tensor, "b classes"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    return values.gather(1, _column(target, values)[:, None])[:, 0]


def _column(target: Int[Tensor, " b"], values: Float[Tensor, "b classes"]) -> Int[Tensor, " b"]:
    """The column of each target; −1, which a network with one output takes for that output itself, is the column of class 1."""
    return torch.where(target < 0, values.shape[1] - 1, target)
