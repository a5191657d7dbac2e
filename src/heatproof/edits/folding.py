"""Folding of batch normalisation and of zero padding into convolutions and linear layers, on a copy of a network.

    BN(W x + b) = W′ x + b′,    W′ = γ W / √(v + ε),    b′ = (b − m) γ / √(v + ε) + β

W and b are the weights and biases of a layer, γ and β those of the normalisation, m and v its running mean and variance. A batch
normalisation is folded into the convolution or linear layer before it, and a module that pads with zeros into the convolution
after it. Pairs are found by running the network once: a pair is folded if each layer runs once and the output of the first is the
input of the second and of no other operation. The names of modules, the order of their registration and the way they compute their
padding do not matter.
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
    """The copy of the network, the number of normalisations that were folded, and for each of the others why it was not."""

    module: nn.Module
    pairs: int
    not_folded: tuple[str, ...]


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
    """Fold all pairs of layers that can be folded, on a copy of a network in eval mode.

    Args:
        module: The network, which is not changed.
        images: A batch `[b, c, …]` that the network accepts, which is not changed either.
    """
    module = copy.deepcopy(module).eval()
    calls, uses = _watch(module, images)
    runs = Counter(id(call.module) for call in calls)
    layers = {id(call.out): call for call in calls if isinstance(call.module, _LAYERS) and not isinstance(call.module, _NORMS)}
    names = {id(child): name for name, child in module.named_modules()}
    pairs, not_folded = 0, []
    for call in calls:
        if not isinstance(call.module, _NORMS):
            continue
        before = layers.get(id(call.into))
        reason = _obstacle(call, before, runs, uses)
        if reason or before is None:
            not_folded.append(f"{names[id(call.module)]}: {reason}")
            continue
        _replace(module, before.module, _fused(before.module, call.module))
        _replace(module, call.module, nn.Identity())
        pairs += 1
    _fold_padding(module, images)
    return Folded(module, pairs, tuple(not_folded))


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

    seen = [child for child in module.modules() if not isinstance(child, torch.jit.ScriptModule)]  # these call no hooks
    layers = [child for child in seen if isinstance(child, _LAYERS) or _may_pad(child)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad(), _UseCounter() as uses:
            module(images.clone())
    finally:
        for handle in handles:
            handle.remove()
    return calls, uses.count


def _obstacle(call: _Call, before: _Call | None, runs: Counter[int], uses: Counter[int]) -> str:
    """The reason why a normalisation cannot be folded; empty if it can."""
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
    """Whether a module has no parameters, buffers or children, so that it may be a padding."""
    return not isinstance(module, _LAYERS) and not any(module.children()) and not any(True for _ in _state(module))


def _state(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def _pads(call: _Call) -> bool:
    """Whether a call surrounded its input with zeros and did nothing else."""
    into, out = call.into.shape, call.out.shape
    if len(into) != 4 or len(out) != 4 or into[:2] != out[:2] or into == out or out[2] < into[2] or out[3] < into[3]:
        return False
    amounts = _amounts(call.module, call.into)
    return amounts is not None and torch.equal(F.pad(call.into, amounts), call.out)


def _takes_padding(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d and module.padding == (0, 0)


Amounts = tuple[int, int, int, int]


def _amounts(padding: nn.Module, like: Tensor) -> Amounts | None:
    """The numbers of zeros that a module adds left, right, above and below, found by padding ones; None if it does not pad."""
    h, w = like.shape[-2:]
    with torch.no_grad():
        ones = padding(torch.ones(1, like.shape[1], h, w, dtype=like.dtype, device=like.device))
    inside = ones[0, 0].nonzero() if ones.ndim == 4 else ones.nonzero()[:, :0]
    if inside.shape != (h * w, 2):
        return None
    (above, left), (height, width) = inside[0].tolist(), ones.shape[-2:]
    return left, width - w - left, above, height - h - above


class _Padded(nn.Module):
    """A convolution that also does the padding of the module before it, for images of any size.

    Equal padding on opposite sides becomes the convolution's own padding, which costs nothing; otherwise the input is copied into a
    larger tensor of zeros. Where operations are traced, the padding and the convolution run one after the other as before.
    """

    def __init__(self, padding: nn.Module, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.padding, self.convolution = padding, convolution
        self._known: dict[tuple[int, int], Amounts] = {}

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of the padded input."""
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
    """Surrounds images with zeros. Unlike `pad`, it writes the inside once rather than twice, and its gradient is a view."""

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
