"""What the outputs of a classifier are: logits, probabilities or log-probabilities.

    logits             z              p = softmax(z)                  log p = log_softmax(z)
    probabilities      log p          p                               log p
    log_probabilities  log p          exp(log p)                      log p

z the numbers whose softmax are the probabilities p. A network with one output has two classes: logits z stand for
p = (sigmoid(−z), sigmoid(z)), probabilities p for (1 − p, p). Rows of at least two outputs that are not negative and sum to 1 are
probabilities, rows whose exponentials do are log-probabilities, and all others are logits. A single probability cannot be told from
a score: the model has to say so.
"""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Scale = Literal["logits", "probabilities", "log_probabilities"]
"""What the outputs of a network are."""
SCALES: tuple[Scale, ...] = get_args(Scale)


def scale_of(outputs: Float[Tensor, "b k"]) -> Scale:
    """What these outputs are, which holds for all of the rows, up to rounding of their type.

    >>> import torch
    >>> from heatproof.models.scale import scale_of
    >>> z = torch.tensor([[1.0, 3.0, -2.0], [0.5, 0.1, 4.0]])
    >>> scale_of(z), scale_of(z.softmax(1)), scale_of(z.log_softmax(1))
    ('logits', 'probabilities', 'log_probabilities')
    """
    if outputs.shape[1] < 2 or not len(outputs):
        return "logits"
    values = outputs.detach().double()
    rounding = 4 * torch.finfo(outputs.dtype).eps * (1 + math.log(outputs.shape[1]))
    if _sum_to_one(values, rounding):
        return "probabilities"
    return "log_probabilities" if _sum_to_one(values.exp(), rounding) else "logits"


def per_class(outputs: Float[Tensor, "b k"], scale: Scale) -> Float[Tensor, "b classes"]:
    """The network's own number for each class. Of one output, it is ±z for logits, and for probabilities that of both classes."""
    if outputs.shape[1] > 1:
        return outputs
    if scale == "logits":
        return torch.cat([-outputs, outputs], 1)
    if scale == "probabilities":
        return torch.cat([1 - outputs, outputs], 1)
    return torch.cat([(-torch.expm1(outputs)).clamp_min(torch.finfo(outputs.dtype).tiny).log(), outputs], 1)


def logits(outputs: Float[Tensor, "b k"], scale: Scale) -> Float[Tensor, "b classes"]:
    """Numbers whose softmax are the probabilities of the classes."""
    own = per_class(outputs, scale)
    if scale == "logits":
        return own if outputs.shape[1] > 1 else own / 2
    return log_probabilities(outputs, scale)


def probabilities(outputs: Float[Tensor, "b k"], scale: Scale) -> Float[Tensor, "b classes"]:
    """The probabilities of the classes.

    >>> import torch
    >>> from heatproof.models.scale import probabilities
    >>> probabilities(torch.tensor([[0.0, 0.0]]), "logits"), probabilities(torch.tensor([[0.25, 0.75]]), "probabilities")
    (tensor([[0.5000, 0.5000]]), tensor([[0.2500, 0.7500]]))
    """
    if scale == "probabilities":
        return per_class(outputs, scale)
    return per_class(outputs, scale).exp() if scale == "log_probabilities" else logits(outputs, scale).softmax(1)


def log_probabilities(outputs: Float[Tensor, "b k"], scale: Scale) -> Float[Tensor, "b classes"]:
    """The logarithms of the probabilities of the classes; a probability that is rounded to 0 counts as the smallest number."""
    if scale == "logits":
        return logits(outputs, scale).log_softmax(1)
    own = per_class(outputs, scale)
    return own.clamp_min(torch.finfo(own.dtype).tiny).log() if scale == "probabilities" else own


def _sum_to_one(values: Float[Tensor, "b k"], rounding: float) -> bool:
    return bool((values >= 0).all() & ((values.sum(1) - 1).abs() <= rounding).all())
