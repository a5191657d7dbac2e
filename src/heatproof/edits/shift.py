"""A network that gives the same outputs for shifted inputs as another one does for the inputs themselves.

    f2(x + m) = f1(x),    L2(x2) = L1(x2) − (L1(m) − L1(0))

f1 is the network, m the shift of its input, and L1 a first layer with weights: one that the input reaches through no other layer
with weights, in the order of execution. L2 is the same layer in f2, and x2 = x1 + m its input there.

The correction L1(m) − L1(0) is a map, one value for each value of the layer's result, so that it is exact for every layer that is
affine in its input, also where padding, strides or groups make a changed bias wrong at the borders. Operations before the first
layers must be affine too (padding, slices, normalisation by constants); the shift passes through them. For a backward rule the
layer and its correction are one operation, and the correction counts as a part of the bias. The gradients of f2 at x + m are
those of f1 at x.

The edit is made on a deep copy: the caller's module is never touched, and parameters keep their names.

Source: Kindermans, Hooker, Adebayo, Alber, Schütt, Dähne, Erhan & Kim, "The (un)reliability of saliency methods", 2017.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError, TensorError
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.tracing import catalogue
from heatproof.tracing.capture import named_network
from heatproof.tracing.catalogue import writes_in_place
from heatproof.tracing.layer_minus_constant import layer_minus_constant
from heatproof.tracing.signatures import bind_arguments, operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped, refuse_hidden_operations

SHIFT = "shift_of_the_input"
"""Name of the buffer that holds m on the copy."""

_LAYERS = frozenset((*catalogue.CONVOLUTIONS, *catalogue.TRANSPOSED_CONVOLUTIONS, *catalogue.DENSE))
_CORRECTED = frozenset((*_LAYERS, *catalogue.MATRIX_PRODUCTS))
"""Layers with weights: their results are corrected, and the shift ends there."""
_BILINEAR = frozenset((*catalogue.PRODUCTS, *catalogue.QUOTIENTS, *_CORRECTED))
"""Operations that are affine in one argument at a time: in a quotient, in the numerator."""
_AFFINE = frozenset((*catalogue.EXACT_COPIES, *catalogue.AVERAGES, *catalogue.SUMS, *catalogue.NEGATIONS))
"""Operations that are affine in all their arguments together."""


def shifted(model: Model, shift: Float[Tensor, "c *space"]) -> Model:
    """The model f2 with f2(x + m) = f1(x), on a copy of the module, without acceleration.

    The bounds of f2 become lower + min m and upper + max m of each channel. With a shift that is the same at all places, black
    stays black; otherwise no single colour is black at all places. A forward pass of f2 raises `ModelError` if, before the first
    layers with weights, the input goes into an operation that is not affine, or is combined with something that depends on it.

    Args:
        model: f1.
        shift: m, `[c, …]`; an axis of size 1 stands for all places.

    Returns:
        f2.

    Raises:
        ModelError: A module of the network hides its operations, or the model is a black box.
        TensorError: The shift does not fit the channels, or is not finite.

    >>> import torch
    >>> from heatproof.edits.shift import shifted
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> moved = shifted(model, torch.tensor([0.25]))
    >>> torch.allclose(moved.outputs(images + 0.25), model.outputs(images), atol=1e-5)
    True
    """
    if model.black_box:
        raise ModelError(f"{model.name}: expected a network whose biases can make up for a shift of its input, got a function")
    channels = len(model.bounds.lower)
    if shift.ndim < 1 or len(shift) != channels or not bool(shift.isfinite().all()):
        raise TensorError(f"shift: expected finite values for {channels} channels, [{channels}, …], got {list(shift.shape)}")
    with torch.inference_mode(False), torch.no_grad():  # so that autograd may save the copied tensors
        module = copy.deepcopy(named_network(model.with_(engine=None)))
        refuse_hidden_operations(module)
        shift = model.placed(shift.detach()).clone()
        if hasattr(module, SHIFT):
            earlier: Tensor = getattr(module, SHIFT)
            axes = max(earlier.ndim, shift.ndim)
            setattr(module, SHIFT, _with_axes(earlier, axes) + _with_axes(shift, axes))
        else:
            module.__class__ = _shifted_class(type(module))
            module.register_buffer(SHIFT, shift)
    least, most = shift.double().reshape(channels, -1).aminmax(dim=1)
    lower, upper = model.bounds.lower, model.bounds.upper
    bounds = Bounds(lower.double() + least.to(lower.device), upper.double() + most.to(upper.device))
    original = model.original or model.module
    name = f"{model.name}, shifted"
    return model.with_(module=module, original=original, bounds=bounds, preprocessing=None, name=name, engine=None, plan="plain")


def _shifted_class(kind: type[nn.Module]) -> type[nn.Module]:
    """A subclass of the network's own class whose forward pass corrects the first layers."""

    def forward(self: nn.Module, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        with _ShiftTracer(kind.__name__, x, getattr(self, SHIFT)):
            return kind.forward(self, x, *args, **kwargs)

    return type(f"Shifted{kind.__name__}", (kind,), {"forward": forward, "__doc__": "The network for inputs with a shift."})


def _with_axes(shift: Tensor, axes: int) -> Tensor:
    """The shift with as many axes, the added ones last and of size 1."""
    return shift.view(*shift.shape, *[1] * (axes - shift.ndim))


class _ShiftTracer(Tracer):
    """Passes the shift of the input on from operation to operation, until the first layers with weights are corrected for it.

    Args:
        name: The network's class, for messages.
        x: The input, which is tracked with its shift; results of corrected layers are tracked without one.
        shift: m.
    """

    def __init__(self, name: str, x: Tensor, shift: Tensor) -> None:
        super().__init__()
        self._name = name
        self._shifts: Any = WeakIdKeyDictionary()
        self._corrected: Any = WeakIdKeyDictionary()
        whole = _with_axes(shift, x.ndim - 1)
        if whole.ndim != x.ndim - 1 or any(n not in (1, there) for n, there in zip(whole.shape, x.shape[1:], strict=True)):
            raise TensorError(f"shift: expected one that fits images {list(x.shape[1:])}, got {list(shift.shape)}")
        self._shifts[x] = whole.expand_as(x)

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the input."""
        return tensor in self._shifts or tensor in self._corrected

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the operation, and the shift of its result or the correction for it."""
        shifted = [tensor for tensor in tracked if tensor in self._shifts]
        if not shifted:
            return self._mark_corrected(func(*args, **kwargs))
        if len(shifted) < len(tracked) or not _is_affine(func, args, kwargs, shifted):
            result = func(*args, **kwargs)
            if writes_in_place(func) or any(isinstance(leaf, Tensor) for leaf in leaves(result)):
                self._refuse(func)
            return result
        with torch.no_grad():
            of_shift, of_zero = (func(*mapped(at, args), **mapped(at, kwargs)) for at in (self._shift_of, self._zero_of))
            responses = [a - b for a, b in zip(leaves(of_shift), leaves(of_zero), strict=True)]
        if func in _CORRECTED:
            (response,) = responses
            if func in _LAYERS:
                return self._mark_corrected(layer_minus_constant(func, args, kwargs, response))
            return self._mark_corrected(func(*args, **kwargs) - response)
        result = func(*args, **kwargs)
        for leaf, response in zip(leaves(result), responses, strict=True):
            self._shifts[leaf] = response
        return result

    def _shift_of(self, leaf: Any) -> Any:
        return self._shifts.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf

    def _zero_of(self, leaf: Any) -> Any:
        return torch.zeros_like(leaf) if isinstance(leaf, Tensor) and leaf in self._shifts else leaf

    def _mark_corrected(self, result: Any) -> Any:
        for leaf in leaves(result):
            if isinstance(leaf, Tensor):
                self._corrected[leaf] = True
        return result

    def _refuse(self, func: Callable[..., Any]) -> None:
        raise ModelError(
            f"{self._name}: expected an input that goes into layers with weights, after steps that are affine at most, got "
            f"{operation_name(func)}; no change of biases makes up for a shift of the input there: leave this network out"
        )


def _is_affine(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], shifted: Sequence[Tensor]) -> bool:
    """Whether an operation is affine in the shifted tensors together; batch normalisation is if it uses running statistics."""
    if func in catalogue.BATCH_NORMALISATIONS:
        return len(shifted) == 1 and not bind_arguments(func, args, kwargs, catalogue.NATIVE_BATCH_NORM)["training"]
    if func in _BILINEAR:
        return len(shifted) == 1 and (func not in catalogue.QUOTIENTS or args[0] is shifted[0])
    return func in _AFFINE
