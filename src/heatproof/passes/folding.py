"""What a layer can do with less work, folded on a copy of a network, found by running it: normalisation and padding.

    BN(W x + b) = W′ x + b′,    W′ = γ W / √(v + ε),    b′ = (b − m) γ / √(v + ε) + β

A batch normalisation folds into the convolution or linear layer before it, a module that pads with zeros into the convolution after
it. A pair folds when, in one forward pass, each layer runs once and the first one's output goes into the second and nowhere
else. What modules are called, how they are registered, or how they find their padding plays no part: what runs can be folded.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.overrides import has_torch_function_unary

from heatproof.core.errors import ModelError
from heatproof.tracing.tracer import Tracer, leaves

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LAYERS = (*_NORMS, *_CONVOLUTIONS, *_TRANSPOSED, nn.Linear)


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


class _UseCounter(Tracer):
    """Counts how often each tensor goes into an operation that makes a tensor; keeps them alive so that identities stay unique."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[int] = Counter()
        self.alive: list[Tensor] = []

    def is_tracked(self, tensor: Tensor) -> bool:
        """Every tensor is tracked."""
        return True

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the operation, and count its inputs."""
        result = func(*args, **kwargs)
        if any(isinstance(leaf, Tensor) for leaf in leaves(result)):
            self.alive += tracked
            self.count.update({id(tensor) for tensor in tracked})
        return result


def fold(module: nn.Module, images: Tensor) -> Folded:
    """A copy of an eval-mode network, its foldable pairs folded. `images` is a batch it runs on; the caller's are not touched."""
    module = copy.deepcopy(module).eval()
    calls, uses = _watch(module, images)
    runs = Counter(id(call.module) for call in calls)
    made = {id(call.out): call for call in calls if isinstance(call.module, _LAYERS) and not isinstance(call.module, _NORMS)}
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
    _fold_padding(module, images)
    return Folded(module, pairs, tuple(kept))


def _fold_padding(module: nn.Module, images: Tensor) -> None:
    calls, uses = _watch(module, images)
    runs = Counter(id(call.module) for call in calls)
    for before, call in pairwise(calls):
        once = runs[id(before.module)] == runs[id(call.module)] == uses[id(before.out)] == 1
        if call.into is before.out and once and _takes_padding(call.module) and _pads(before):
            _replace(module, before.module, nn.Identity())
            _replace(module, call.module, _Padded(before.module, call.module))  # type: ignore[arg-type]  # a Conv2d, as was asked


def _watch(module: nn.Module, images: Tensor) -> tuple[list[_Call], Counter[int]]:
    calls: list[_Call] = []

    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            calls.append(_Call(layer, inputs[0], output))

    layers = [child for child in module.modules() if isinstance(child, _LAYERS) or _may_pad(child)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad(), _UseCounter() as uses:
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


# Padding ──────────────────────────────────────────────────────────────────────────────────────────


def _may_pad(module: nn.Module) -> bool:
    """Whether a module is nothing but an operation."""
    return not isinstance(module, _LAYERS) and not any(module.children()) and not any(True for _ in _state(module))


def _state(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def _pads(call: _Call) -> bool:
    """Whether a call put zeros around its input and did nothing else."""
    into, out = call.into.shape, call.out.shape
    if len(into) != 4 or len(out) != 4 or into[:2] != out[:2] or into == out or out[2] < into[2] or out[3] < into[3]:
        return False
    amounts = _amounts(call.module, call.into)
    return amounts is not None and torch.equal(F.pad(call.into, amounts), call.out)


def _takes_padding(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d and module.padding == (0, 0)


Amounts = tuple[int, int, int, int]


def _amounts(padding: nn.Module, like: Tensor) -> Amounts | None:
    """Zeros that a module puts left, right, above and below, found by padding ones; None if it does something else."""
    h, w = like.shape[-2:]
    with torch.no_grad():
        ones = padding(torch.ones(1, like.shape[1], h, w, dtype=like.dtype, device=like.device))
    inside = ones[0, 0].nonzero() if ones.ndim == 4 else ones.nonzero()[:, :0]
    if inside.shape != (h * w, 2):
        return None
    (above, left), (height, width) = inside[0].tolist(), ones.shape[-2:]
    return left, width - w - left, above, height - h - above


class _Padded(nn.Module):
    """A convolution that pads by itself, in any size, what a module before it padded.

    The same on both sides is the convolution's own padding, which costs nothing; else the zeros are written around a copy. Where
    operations are followed, these are the two they were.
    """

    def __init__(self, padding: nn.Module, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.padding, self.convolution = padding, convolution
        self._known: dict[tuple[int, int], Amounts] = {}

    def forward(self, x: Tensor) -> Tensor:
        """As padding, then convolution."""
        if has_torch_function_unary(x):
            followed: Tensor = self.convolution(self.padding(x))
            return followed
        left, right, above, below = amounts = self._around(x)
        c = self.convolution
        if left == right and above == below:
            return F.conv2d(x, c.weight, c.bias, c.stride, (above, left), c.dilation, c.groups)
        found: Tensor = c(_Surround.apply(x, amounts))
        return found

    def _around(self, x: Tensor) -> Amounts:
        size = (x.shape[-2], x.shape[-1])
        if size not in self._known:
            amounts = _amounts(self.padding, x)
            if amounts is None:
                kind = type(self.padding).__name__
                raise ModelError(f"{kind}: expected to pad with zeros, as when the plan was made, got another thing at {size}")
            self._known[size] = amounts
        return self._known[size]


class _Surround(torch.autograd.Function):
    """Zeros around images. The gradient is a view, and the inside is written once, which `pad` does twice and copies back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, amounts: Amounts) -> Tensor:
        left, right, above, below = amounts
        (h, w), last = x.shape[-2:], x.is_contiguous(memory_format=torch.channels_last)
        shape, layout = (
            (*x.shape[:2], above + h + below, left + w + right),
            torch.channels_last if last else torch.contiguous_format,
        )
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
        out[..., above : above + h, left : left + w] = x
        for edge in (out[..., :above, :], out[..., above + h :, :], out[..., :left], out[..., left + w :]):
            edge.zero_()
        ctx.inside = slice(above, above + h), slice(left, left + w)
        return out

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        inner: Tensor = grad[0][(..., *ctx.inside)]
        return inner, None
