"""A network that answers to a shifted input as another one does to the input itself.

    f2(x + m) = f1(x),    L2(x2) = L1(x2) − (L1(m) − L1(0))    for the first layers L with weights, by execution

Exact for any layer that is affine in its input, padded, strided or grouped: where a shift of the bias would be wrong at padded
borders, the correction is a map. What comes before those layers must be affine too (padding, slices, normalisation by
constants) and takes its shift along. For a rule, the layer and its correction are one operation: the correction belongs to the
bias. Gradients of f2 at x + m are those of f1 at x.

It acts on a deep copy: the caller's module is never touched, and parameters keep their names.

Source: Kindermans, Hooker, Adebayo, Alber, Schütt, Dähne, Erhan & Kim, "The (un)reliability of saliency methods", 2017.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError, TensorError
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.relevance.handlers.linear_layers import AVERAGES, CONVOLUTIONS
from heatproof.relevance.handlers.shape_ops import EXACT
from heatproof.relevance.linear import less
from heatproof.tracing.capture import named_network
from heatproof.tracing.catalogue import operation_name, writes
from heatproof.tracing.tracer import refuse_what_hides

T = Tensor
SHIFT = "shift_of_the_input"
"""Name of the buffer that holds m on the copy."""

_SUMS = (torch.add, T.add, T.__add__, T.__radd__, torch.sub, T.sub, T.__sub__, T.__rsub__, torch.rsub, T.neg, torch.neg, T.__neg__)
_QUOTIENTS = (torch.div, T.div, T.__truediv__)
_PRODUCTS = (torch.mul, T.mul, T.__mul__, T.__rmul__)
_CARRYING = frozenset((*EXACT, *AVERAGES, *_SUMS, *_QUOTIENTS, *_PRODUCTS, F.batch_norm))
"""Affine, and no layer of its own: what comes out has a shift too."""
_LAYERS = frozenset((*CONVOLUTIONS, F.linear))
_WEIGHING = frozenset((*_LAYERS, torch.matmul, T.matmul, T.__matmul__, torch.mm, T.mm))
"""Where the shift ends."""
_BILINEAR = frozenset((*_PRODUCTS, *_QUOTIENTS, *_WEIGHING))
"""Affine in one factor at a time."""


def shifted(model: Model, shift: Float[Tensor, "c *space"]) -> Model:
    """The model f2 with f2(x + m) = f1(x), on a copy of the module, without acceleration.

    Args:
        model: f1.
        shift: m, `[c, …]`: sizes 1 stand for all places.

    The bounds become lower + min m and upper + max m of each channel: with a shift that is the same at all places black stays
    black, with another there is no black for all places. A run raises `ModelError` if the input meets anything that is not
    affine, or anything that depends on itself, before a layer with weights.

    Raises:
        ModelError: Modules whose operations cannot be seen.
        TensorError: A shift that does not fit the channels, or is not finite.
    """
    channels = len(model.bounds.lower)
    if shift.ndim < 1 or len(shift) != channels or not bool(shift.isfinite().all()):
        raise TensorError(f"shift: expected finite values for {channels} channels, [{channels}, …], got {list(shift.shape)}")
    with torch.inference_mode(False), torch.no_grad():  # so that autograd may save what is copied
        module = copy.deepcopy(named_network(model.with_(engine=None)))
        refuse_what_hides(module)
        shift = shift.detach().to(model.device, model.dtype, copy=True)
        if hasattr(module, SHIFT):
            before: Tensor = getattr(module, SHIFT)
            axes = max(before.ndim, shift.ndim)
            setattr(module, SHIFT, _over(before, axes) + _over(shift, axes))
        else:
            module.__class__ = _shifting(type(module))
            module.register_buffer(SHIFT, shift)
    least, most = shift.double().reshape(channels, -1).aminmax(dim=1)
    lower, upper = model.bounds.lower, model.bounds.upper
    bounds = Bounds(lower.double() + least.to(lower.device), upper.double() + most.to(upper.device))
    return model.with_(module=module, bounds=bounds, preprocessing=None, name=f"{model.name}, shifted", engine=None, plan="plain")


def _shifting(kind: type[nn.Module]) -> type[nn.Module]:
    def forward(self: nn.Module, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        with _ShiftTracer(kind.__name__, x, getattr(self, SHIFT)):
            return kind.forward(self, x, *args, **kwargs)

    return type(f"Shifted{kind.__name__}", (kind,), {"forward": forward, "__doc__": "The network, less a shift of its input."})


def _over(shift: Tensor, axes: int) -> Tensor:
    """With so many axes, the last ones of size 1."""
    return shift.view(*shift.shape, *[1] * (axes - shift.ndim))


class _ShiftTracer(TorchFunctionMode):
    """Takes the shift of the input along from operation to operation, until layers with weights take it away."""

    def __init__(self, name: str, x: Tensor, shift: Tensor) -> None:
        super().__init__()
        self._name = name
        self._shifts: Any = WeakIdKeyDictionary()
        self._found: Any = WeakIdKeyDictionary()
        whole = _over(shift, x.ndim - 1)
        if whole.ndim != x.ndim - 1 or any(n not in (1, there) for n, there in zip(whole.shape, x.shape[1:], strict=True)):
            raise TensorError(f"shift: expected one that fits images {list(x.shape[1:])}, got {list(shift.shape)}")
        self._shifts[x] = whole.expand_as(x)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        moved = [leaf for leaf in leaves if leaf in self._shifts]
        if not moved:
            return self._depending(func(*args, **kwargs), any(leaf in self._found for leaf in leaves))
        if not _affine(func, args, kwargs, moved) or any(leaf in self._found for leaf in leaves):
            found = func(*args, **kwargs)
            if writes(func) or any(isinstance(leaf, Tensor) for leaf in tree_leaves(found)):
                self._refuse(func)
            return found
        with torch.no_grad():
            end, start = (func(*tree_map(at, tuple(args)), **tree_map(at, kwargs)) for at in (self._shift_of, self._zero_of))
            response = tree_map(torch.sub, end, start)
        if func in _WEIGHING:
            made = less(func, tuple(args), kwargs, response) if func in _LAYERS else func(*args, **kwargs) - response
            return self._depending(made, True)
        found = func(*args, **kwargs)
        for leaf, part in zip(tree_leaves(found), tree_leaves(response), strict=True):
            self._shifts[leaf] = part
        return found

    def _shift_of(self, leaf: Any) -> Any:
        return self._shifts.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf

    def _zero_of(self, leaf: Any) -> Any:
        return torch.zeros_like(leaf) if isinstance(leaf, Tensor) and leaf in self._shifts else leaf

    def _depending(self, found: Any, depends: bool) -> Any:
        for leaf in tree_leaves(found) if depends else ():
            if isinstance(leaf, Tensor):
                self._found[leaf] = True
        return found

    def _refuse(self, func: Callable[..., Any]) -> None:
        raise ModelError(
            f"{self._name}: expected an input that goes into layers with weights, after steps that are affine at most, got "
            f"{operation_name(func)}; no change of biases makes up for a shift of the input there: leave this network out"
        )


def _affine(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], moved: Sequence[Tensor]) -> bool:
    """Whether an operation is affine in those of its arguments together; for batch normalisation, if it runs by its statistics."""
    if func is F.batch_norm:
        return len(moved) == 1 and not (kwargs.get("training", False) or any(flag is True for flag in args[5:6]))
    if func in _BILINEAR:
        return len(moved) == 1 and (func not in _QUOTIENTS or args[0] is moved[0])
    return func in _CARRYING
