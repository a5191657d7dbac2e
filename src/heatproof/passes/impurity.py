"""The module in which two forward passes of one image part, for the error of `purity.py`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from math import inf
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from heatproof.models.model import Model
from heatproof.numerics.distance import Distance
from heatproof.tracing.capture import named_network, uncompiled

SAME, UNITS = 1e-3, 100
"""Outputs of a module that differ by less than `SAME`, relative, count as the same. Inputs must also agree up to so many units of
rounding, since a module may enlarge what an earlier one has caused."""
ATTEMPTS = 8
"""How often two passes are compared before they count as equal: what differs need not do so each time."""


class _ModuleRun(NamedTuple):
    """One run of a module, with copies of its tensors."""

    name: str
    kind: str
    inputs: list[Tensor]
    outputs: list[Tensor]


Around = tuple[Callable[[], AbstractContextManager[Any]], Callable[[], AbstractContextManager[Any]]]
"""What opens the blocks in which two passes run."""


def parting_module(model: Model, first: Tensor, second: Tensor, around: Around = (nullcontext, nullcontext)) -> str:
    """The name and class of the first module whose inputs are the same in two passes and whose outputs are not.

    Cost: two forward passes for each attempt, with a copy of what goes into and comes out of each module.

    Args:
        model: The network, in evaluation mode.
        first: An image `[1, c, …]`, which passes first.
        second: A batch that begins with that image, which passes second.
        around: What opens the blocks in which the two pass.

    Returns:
        Such as `norm (BatchNorm2d)`; the network itself where no module of it is at fault, but what lies between them.
    """
    for _ in range(ATTEMPTS):
        with around[0]():
            firsts = _calls(model, first)
        with around[1]():
            seconds = _calls(model, second)
        for one, other in zip(firsts, seconds, strict=False):
            if one.name != other.name:
                break
            if _same(one.inputs, other.inputs, UNITS) and not _same(one.outputs, other.outputs):
                return f"{one.name} ({one.kind})" if one.name else one.kind
    return type(named_network(model)).__name__


def _calls(model: Model, images: Tensor) -> list[_ModuleRun]:
    """The runs of all modules in one pass, in the order in which they end, so that a module comes after those inside it."""
    calls: list[_ModuleRun] = []
    entered: list[list[Tensor]] = []

    def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
        entered.append(_copies((args, kwargs)))

    def leave(module: nn.Module, _: Any, output: Any, name: str) -> None:
        calls.append(_ModuleRun(name, type(module).__name__, entered.pop(), _copies(output)))

    with ExitStack() as stack:
        stack.enter_context(uncompiled(model))
        for name, module in named_network(model).named_modules():
            stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(partial(leave, name=name)).remove)
        stack.enter_context(torch.no_grad())
        model.outputs(images.clone())
    return calls


def _copies(nested: Any) -> list[Tensor]:
    return [leaf.detach().clone() for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def _same(first: list[Tensor], second: list[Tensor], units: float = inf) -> bool:
    """Whether tensors of two passes agree as far as the first image goes, to so many units of rounding where that is less."""
    pairs = [(one, _part(other, one)) for one, other in zip(first, second, strict=False)]
    return len(first) == len(second) and all(
        other is not None and Distance.between(one, other).relative <= min(SAME, units * _unit(one)) for one, other in pairs
    )


def _unit(tensor: Tensor) -> float:
    return float(torch.finfo(tensor.dtype).eps) if tensor.is_floating_point() else 1.0


def _part(tensor: Tensor, like: Tensor) -> Tensor | None:
    """The part of a batch's tensor that belongs to its first image, on whatever axis the images lie; None if there is none."""
    if tensor.ndim != like.ndim:
        return None
    for axis, (size, wanted) in enumerate(zip(tensor.shape, like.shape, strict=True)):
        if size < wanted:
            return None
        tensor = tensor.narrow(axis, 0, wanted)
    return tensor
