"""Batch normalisation folded into the convolution or linear layer before it, on a copy of a network, found by running it.

    BN(W x + b) = W′ x + b′,    W′ = γ W / √(v + ε),    b′ = (b − m) γ / √(v + ε) + β

A pair folds when, in one forward pass, each layer runs once and the first one's output goes into the normalisation and nowhere
else. What modules are called, how they are registered, or how their padding is made plays no part: what runs can be folded.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Folded:
    """The copy, how many normalisations were folded, and why each of the others was not."""

    module: nn.Module
    pairs: int
    kept: tuple[str, ...]


@dataclass(frozen=True)
class _Call:
    module: nn.Module
    into: Tensor
    out: Tensor


class _Uses(TorchFunctionMode):
    """Counts how often each tensor goes into an operation that makes a tensor; keeps them alive so that identities stay unique."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[int] = Counter()
        self.alive: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(result)):
            inputs = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.alive += inputs
            self.count.update({id(tensor) for tensor in inputs})
        return result


def fold(module: nn.Module, images: Tensor) -> Folded:
    """A copy of an eval-mode network, its foldable pairs folded. `images` is a batch it runs on; the caller's are not touched."""
    module = copy.deepcopy(module).eval()
    calls, uses = _watch(module, images)
    runs = Counter(id(call.module) for call in calls)
    made = {id(call.out): call for call in calls if not isinstance(call.module, _NORMS)}
    names = {id(child): name for name, child in module.named_modules()}
    pairs, kept = 0, []
    for call in calls:
        if not isinstance(call.module, _NORMS):
            continue
        before = made.get(id(call.into))
        reason = _obstacle(call, before, runs, uses)
        if reason or before is None:
            kept.append(f"{names[id(call.module)]}: {reason}")
            continue
        _replace(module, before.module, _fused(before.module, call.module))
        _replace(module, call.module, nn.Identity())
        pairs += 1
    return Folded(module, pairs, tuple(kept))


def _watch(module: nn.Module, images: Tensor) -> tuple[list[_Call], Counter[int]]:
    calls: list[_Call] = []

    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        calls.append(_Call(layer, inputs[0], output))

    layers = [child for child in module.modules() if isinstance(child, (*_NORMS, *_CONVOLUTIONS, *_TRANSPOSED, nn.Linear))]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad(), _Uses() as uses:
            module(images.clone())
    finally:
        for handle in handles:
            handle.remove()
    return calls, uses.count


def _obstacle(call: _Call, before: _Call | None, runs: Counter[int], uses: Counter[int]) -> str:
    """Why a normalisation cannot be folded; empty if it can."""
    norm = call.module
    if not isinstance(norm, _NORMS) or norm.running_mean is None:
        return "it normalises by the batch, not by running statistics"
    if before is None:
        return "what comes before it is no convolution or linear layer"
    if runs[id(norm)] > 1 or runs[id(before.module)] > 1:
        return "it or the layer before it runs more than once"
    if uses[id(call.into)] > 1:
        return "the layer before it also feeds another operation"
    if isinstance(before.module, nn.Linear) and before.out.ndim != 2:
        return "the linear layer before it has more than one axis of samples"
    return ""


def _fused(layer: nn.Module, norm: nn.Module) -> nn.Module:
    fused: nn.Module = (
        fuse_linear_bn_eval(layer, norm)  # type: ignore[arg-type]  # any batch norm with statistics will do
        if isinstance(layer, nn.Linear)
        else fuse_conv_bn_eval(layer, norm, isinstance(layer, _TRANSPOSED))  # type: ignore[type-var,arg-type]  # likewise
    )
    return fused


def _replace(root: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(root.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)
