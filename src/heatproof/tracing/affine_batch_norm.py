"""Batch normalisation by running statistics, computed as the affine function that it is wherever gradients are taken.

    y = s x + t,    s = γ / √(v + ε),    t = β − s m

γ and β are the weight and the bias of a channel, m and v its running mean and variance. The outputs are those of torch's own kernel
up to rounding, and the gradient is s times what comes from above, whatever its layout. The gradient of torch's kernel on the CPU is
not: in torch 2.14 it is wrong by more than its own size for a single image and layouts such as that of tokens.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.models.model import Model
from heatproof.tracing import catalogue as ops
from heatproof.tracing.capture import is_compiled
from heatproof.tracing.tracer import Tracer

_not_needed: "weakref.WeakKeyDictionary[nn.Module, tuple[int, ...]]" = weakref.WeakKeyDictionary()
"""The networks that ran without a batch normalisation, with the identities of their modules then."""


@contextmanager
def affine_batch_norm(model: Model, *, eager: bool = False, whole: bool = True) -> Iterator[None]:
    """A block in which gradients through batch normalisations in evaluation mode are right for any number and layout of images.

    Normalisations keep nothing for the backward pass then, which saves memory. Networks without any run as they are, and so does
    compiled code, whose backward pass has no such kernel and which would be compiled in pieces otherwise.

    Args:
        model: The network that runs inside the block.
        eager: Whether it runs uncompiled, even if it is compiled.
        whole: Whether every operation is computed, so that a network without normalisations is known afterwards.

    >>> import torch
    >>> from heatproof.models import Bounds, Model
    >>> from heatproof.tracing.affine_batch_norm import affine_batch_norm
    >>> norm, x = torch.nn.BatchNorm1d(2).eval(), torch.ones(1, 2, requires_grad=True)
    >>> with affine_batch_norm(Model(norm, Bounds.of(0, 1, channels=2))):
    ...     print(type(norm(x).grad_fn).__name__)
    AddBackward0
    """
    network = model.engine or model.module
    modules = tuple(map(id, network.modules()))
    if _not_needed.get(network) == modules or (is_compiled(model) and not eager):
        yield
        return
    tracer = _AffineBatchNorm()
    with tracer:
        yield
    if whole and not tracer.needed:
        _not_needed[network] = modules


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    """The result, with the signature of `F.batch_norm`; None where the statistics are those of the batch."""
    if training or running_mean is None or running_var is None:
        return None
    wide = torch.promote_types(input.dtype, torch.float32)  # as torch's kernel computes with half precision
    scale = (running_var.to(wide) + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -running_mean * scale if bias is None else torch.addcmul(bias, running_mean, scale, value=-1)
    shape = (1, -1, *[1] * (input.ndim - 2))
    return (input * scale.view(shape)).add_(shift.view(shape)).to(input.dtype)


def _torch_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor | None:
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    return _batch_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


_FORMS: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    **dict(zip(ops.BATCH_NORMALISATIONS, (_batch_norm, _torch_batch_norm), strict=True)),
    **dict.fromkeys(ops.INSTANCE_NORMALISATIONS, _instance_norm),
}


class _AffineBatchNorm(Tracer):
    functions = frozenset(_FORMS)

    def __init__(self) -> None:
        super().__init__()
        self.needed = False

    def is_tracked(self, tensor: Tensor) -> bool:
        """Every tensor is tracked, so that a pass has the same outputs where parts of it take no gradient."""
        return True

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the affine function, or the operation itself where it normalises by the batch."""
        self.needed = True
        result = _FORMS[func](*args, **kwargs)
        return func(*args, **kwargs) if result is None else result
