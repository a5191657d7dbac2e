"""The explained output of a model as an `nn.Module` that other libraries can call and hook.

Peers register hooks, replace parameters and leave attributes behind. They get a copy of the network, so that nothing that they do
reaches the network of the caller, also after an exception. Every pass through the copy is counted.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.tracing.capture import named_network, uncompiled


class ExplainedModule(nn.Module):
    """The explained output `[b]` of a copy of a model's network, as a function of images `[b, c, …]` and targets `[b]`.

    Args:
        model: The model; its network is copied.

    >>> import torch
    >>> from heatproof.interop.explained_module import ExplainedModule
    >>> from heatproof.models.loaders import Toy
    >>> module = ExplainedModule(Toy(architecture="cnn", width=0.1).load())
    >>> module(torch.zeros(2, 1, 28, 28), torch.tensor([3, 5])).shape
    torch.Size([2])
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        module, engine = copy.deepcopy((model.module, model.engine))
        self._model = (replace(model, module=module, engine=engine),)  # in a tuple, so that torch does not look into it
        self.network = named_network(self._model[0])
        self._backward = 0

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        """The explained outputs; they are in the graph of the images if those require a gradient."""
        model = self._model[0]
        scores = checked_scores(model, model.outputs(images.clone()), target)
        record_rows(forward=len(images))
        if scores.requires_grad:
            scores.register_hook(lambda gradient: self._count(len(gradient)))  # type: ignore[no-untyped-call]  # torch has no types
        return scores

    def _count(self, rows: int) -> None:
        self._backward += rows

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, gradients are recorded and compiled code runs uncompiled; afterwards the backward passes are counted."""
        try:
            with torch.inference_mode(False), torch.enable_grad(), uncompiled(self._model[0]), self._model[0].running():
                yield
        finally:
            record_rows(backward=self._backward)  # here, since a backward pass may run in another thread
            self._backward = 0
