"""What the axes of a tensor mean, and how views move that meaning.

An axis is a number whose digits are its factors, the slowest first: tokens of a grid of h × w positions have the factors (h, w),
a batch flattened with its tokens has (batch, h, w). An operation that only views the values moves the digits: a permutation moves
axes, a reshape joins or splits them, a window partition splits h and w and joins them again on the way back. So the meaning of
every axis after a view follows from the strides of that view, whatever the function is called and whatever its arguments are.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from heatproof.tracing.tracer import leaves

POSITIONS = "dhw"
"""The names of the axes of positions: depth, height or time, width."""
UNKNOWN = "?"
"""An axis that an operation made of which nothing is known; shapes may decide what it is."""
OUT_OF_ORDER = "!"
"""An axis known to hold no grid: positions selected, sorted or mixed."""


class Tokens(NamedTuple):
    """Positions of a grid in one axis, row by row, between other tokens.

    Attributes:
        h: Height of the grid.
        w: Width of the grid.
        before: Number of tokens before those of the positions, such as class tokens.
        after: Number of tokens after them.
    """

    h: int
    w: int
    before: int = 0
    after: int = 0


class Factor(NamedTuple):
    """A digit of an axis: index // stride % size of what it means.

    Attributes:
        of: What is counted: b, c, d, h or w (batch, channels, depth, height or time, width), tokens, `UNKNOWN` or `OUT_OF_ORDER`.
        extent: How many there are.
        stride: By how many one step of this digit moves.
        size: The number of values of this digit.
    """

    of: str | Tokens
    extent: int
    stride: int
    size: int

    @property
    def is_coarsest(self) -> bool:
        """Whether no slower digit of the same quantity exists, so that the digit runs over all of it."""
        return self.stride * self.size == self.extent


Axis = tuple[Factor, ...]
"""The digits of an axis, the slowest first; an axis of length 1 has none."""
Axes = tuple[Axis, ...]


def axis_names(ndim: int) -> str:
    """The names of the axes of signals `[b, c, t]`, images `[b, c, h, w]` and volumes `[b, c, d, h, w]`, by their number; the axes
    of tables have none for positions.
    """
    return {3: "bch", 4: "bchw", 5: "bcdhw"}.get(ndim, "bc")


def whole(of: str | Tokens, length: int) -> Axis:
    """An axis of that length, which counts one quantity."""
    return (Factor(of, length, 1, length),) if length > 1 else ()


def unknown_axes(shape: Sequence[int]) -> Axes:
    """Axes of which nothing is known."""
    return tuple(whole(UNKNOWN, length) for length in shape)


def is_known(axis: Axis) -> bool:
    """Whether an axis has a meaning; of length 1, it needs none."""
    return all(factor.of != UNKNOWN for factor in axis)


def counts(axis: Axis, of: str) -> bool:
    """Whether an axis counts one quantity and nothing else, in whatever digits."""
    return bool(axis) and all(factor.of == of for factor in axis)


def tokens_of(axis: Axis) -> Tokens | None:
    """The grid that lies in one axis, row by row, or None."""
    if len(axis) == 1 and isinstance(axis[0].of, Tokens) and axis[0].size == axis[0].extent:
        return axis[0].of
    if len(axis) == 2 and [factor.of for factor in axis] == ["h", "w"] and all(factor.is_coarsest for factor in axis):
        return Tokens(axis[0].size, axis[1].size)
    return None


def is_positional(axis: Axis) -> bool:
    """Whether an axis runs over positions, in order: rows, columns or tokens."""
    return tokens_of(axis) is not None or (len(axis) == 1 and str(axis[0].of) in POSITIONS and axis[0].is_coarsest)


def resized(axis: Axis, length: int) -> Axis:
    """The axis after a window slid over it, or after it was padded or resampled to another length."""
    if prod(factor.size for factor in axis) == length:
        return axis
    if len(axis) == 1 and axis[0].of in (UNKNOWN, "c", *POSITIONS) and axis[0].is_coarsest:
        return whole(axis[0].of, length)
    return whole(OUT_OF_ORDER if axis else UNKNOWN, length)


def after_view(
    axes: Axes, shape: Sequence[int], func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> list[Axes]:
    """The axes of every tensor that a view function returns, read off the strides that it gives to a tensor without data.

    Args:
        axes: The axes of the viewed tensor.
        shape: Its shape.
        func: The function, whose first argument is the viewed tensor.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
    """
    plain = torch.empty(tuple(shape), device="meta")
    views = [leaf for leaf in leaves(func(plain, *args[1:], **kwargs)) if isinstance(leaf, Tensor)]
    return [tuple(_viewed(axes, plain, view, i) for i in range(view.ndim)) for view in views]


def _viewed(axes: Axes, plain: Tensor, view: Tensor, i: int) -> Axis:
    """The meaning of axis i of a view, from its length and stride in the viewed tensor."""
    length, stride = view.shape[i], view.stride(i)
    if length == 1:
        return ()
    if stride == 0 or view.numel() > plain.numel():  # expanded, or overlapping windows
        return whole(UNKNOWN, length)
    for axis, size, unit in zip(axes, plain.shape, plain.stride(), strict=True):
        if unit <= stride < unit * size:
            if (unit, size) == (stride, length):
                return axis
            if view.numel() < plain.numel() and (
                sliced := _sliced(axis, size, int(view.storage_offset()) // unit % size, stride // unit, length)
            ):
                return sliced
    return _digits([factor for axis in axes for factor in axis], stride, length)


def _sliced(axis: Axis, size: int, start: int, step: int, length: int) -> Axis | None:
    """The axis after `[start :: step]`, cut to a length; None if it does not count one quantity in order."""
    tokens = tokens_of(axis)
    if tokens is not None:
        before, after = tokens.before - start, tokens.after - (size - start - length)
        complete = step == 1 and before >= 0 and after >= 0
        return token_axis(tokens._replace(before=before, after=after)) if complete else whole(OUT_OF_ORDER, length)
    if len(axis) != 1 or axis[0].size != axis[0].extent:
        return None
    return whole(OUT_OF_ORDER if axis[0].of == "b" else axis[0].of, length)


def token_axis(tokens: Tokens) -> Axis:
    """The axis of tokens; those of a grid alone are its digits, so that a reshape brings the grid back."""
    if tokens.before or tokens.after:
        return whole(tokens, tokens.before + tokens.h * tokens.w + tokens.after)
    return (*whole("h", tokens.h), *whole("w", tokens.w))


def _digits(factors: Sequence[Factor], stride: int, length: int) -> Axis:
    """The digits between stride and stride · length of a number with these digits, the slowest first."""
    found: list[Factor] = []
    unit = 1
    for factor in reversed(factors):
        low, high = max(stride, unit), min(stride * length, unit * factor.size)
        if low < high:
            if low % unit or high % low or (unit * factor.size) % high:
                return whole(UNKNOWN, length)
            digit = factor._replace(stride=factor.stride * (low // unit), size=high // low)
            slower = found and found[0].of == digit.of and digit.stride == found[0].stride * found[0].size
            if slower and found[0].extent == digit.extent and digit.of != UNKNOWN:
                found[0] = found[0]._replace(size=found[0].size * digit.size)
            else:
                found.insert(0, digit)
        unit *= factor.size
    return tuple(found) if prod(factor.size for factor in found) == length else whole(UNKNOWN, length)
