"""What a network learns from its labels: the loss of a step, and the credit of each example, whose mean is the accuracy.

    classes, k outputs    cross entropy                           credit 1 where the largest output is that of the class, else 0
    classes, one output   cross entropy of the log-odds of class 1  credit 1 where the sign of the output is right, else 0
    a quantity            squared error                           credit 1 − (y − ŷ)² / Var(y), whose mean is R²

Labels are classes if they are whole numbers, and a quantity y if they are floating-point numbers; ŷ is the one output. R² is the
share of the variance of y that is explained: 0 for the mean of y, below 0 for worse, and NaN for a quantity that does not vary.
"""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from heatproof.core.errors import TensorError


class Supervision:
    """The loss and the credit for the labels of a training set.

    >>> import torch
    >>> from heatproof.training.supervision import Supervision
    >>> quantity = torch.tensor([1.0, 3.0])
    >>> Supervision(quantity).credit(torch.tensor([[1.0], [2.0]]), quantity)  # the first is predicted, for the second the mean
    tensor([1., 0.])
    """

    def __init__(self, labels: Shaped[Tensor, " n"]) -> None:
        self.quantity = labels.is_floating_point()
        """Whether the labels are a quantity."""
        variance = float(labels.double().var(correction=0)) if self.quantity else 0.0
        self._variance = variance if variance > 0 else math.nan

    def loss(self, outputs: Float[Tensor, "b k"], labels: Shaped[Tensor, " b"]) -> Float[Tensor, ""]:
        """The mean loss of some examples."""
        if self.quantity:
            return mse_loss(outputs[:, 0], labels.to(outputs))
        if outputs.shape[1] == 1:
            return binary_cross_entropy_with_logits(outputs[:, 0], labels.to(outputs))
        return cross_entropy(outputs, labels)

    @torch.no_grad()
    def credit(self, outputs: Float[Tensor, "b k"], labels: Shaped[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The credit of each of some examples."""
        if self.quantity:
            return 1 - (outputs[:, 0] - labels.to(outputs)).square() / self._variance
        decided = outputs.argmax(1) if outputs.shape[1] > 1 else outputs[:, 0] > 0
        return (decided == labels).to(outputs)

    def check(self, outputs: Tensor, labels: Shaped[Tensor, " n"]) -> None:
        """Check that outputs of some images fit the labels.

        Raises:
            TensorError: A label is not one of the outputs, or a quantity is not finite or has other than one output.
        """
        if self.quantity:
            if outputs.ndim != 2 or outputs.shape[1] != 1 or not bool(labels.isfinite().all()):
                raise TensorError(
                    "labels: expected a network with one output for a quantity, and finite numbers, got outputs "
                    f"{list(outputs.shape)}; give whole numbers where labels are classes"
                )
            return
        low, high = int(labels.min()), int(labels.max())
        if outputs.ndim != 2 or low < 0 or high >= max(outputs.shape[1], 2):
            raise TensorError(
                f"labels: expected 0 to k − 1 for outputs [b, k], got {low} to {high} for outputs {list(outputs.shape)}; "
                "give the network as many outputs as there are classes, and every image a label"
            )
