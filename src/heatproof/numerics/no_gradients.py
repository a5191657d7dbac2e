"""Passes without gradients, in which a network may take gradients of its own.

Forces are the gradient of an energy, and some networks learn from the gradient of another. `torch.inference_mode` makes tensors of
which no gradient can ever be taken, so that such a network would fail where its scores are wanted and run where its gradients are.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def no_gradients() -> Iterator[None]:
    """A block that records no graph, also inside the inference mode of the caller; `torch.enable_grad` works within.

    >>> import torch
    >>> from heatproof.numerics.no_gradients import no_gradients
    >>> with torch.inference_mode(), no_gradients():
    ...     x = torch.ones(2)
    ...     with torch.enable_grad():
    ...         energy = x.requires_grad_().square().sum()
    ...     torch.autograd.grad(energy, x)
    (tensor([2., 2.]),)
    """
    with torch.inference_mode(False), torch.no_grad():
        yield
