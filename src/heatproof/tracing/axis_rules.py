"""The rule by which each operation passes on the meaning of axes.

    views                      the digits move as the values do (see `axes.py`)
    convolutions               axis 1 is the channels; other axes keep their meaning, or are rows and columns
    pooling, resampling        axes keep their meaning at another length
    linear layers              the last axis is the channels; other axes keep their meaning
    normalisations             axes keep their meaning; unknown ones are channels first for images, last for layer normalisation
    matrix products            rows of the left, columns of the right
    anything else              an axis keeps its meaning where the length is the same, so that functions of each value need no rule

To add an operation, name it in a category of `TABLE`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.tracing import catalogue as ops
from heatproof.tracing.axes import (
    OUT_OF_ORDER,
    POSITIONS,
    UNKNOWN,
    Axes,
    Axis,
    Factor,
    Tokens,
    after_view,
    axis_names,
    counts,
    is_known,
    is_positional,
    resized,
    token_axis,
    tokens_of,
    unknown_axes,
    whole,
)
from heatproof.tracing.signatures import bind_arguments
from heatproof.tracing.tracer import leaves

T = Tensor


class Call(NamedTuple):
    """A call of a torch function on tracked tensors.

    Attributes:
        func: The function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        known: The axes of a tensor; None for one that does not depend on the images.
        results: The tensors that it returned.
    """

    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    known: Callable[[Tensor], Axes | None]
    results: list[Tensor]

    def named(self, *names: str) -> dict[str, Any]:
        """The arguments by name."""
        return bind_arguments(self.func, self.args, self.kwargs, names)

    def axes(self, tensor: Any) -> Axes:
        """The axes of an argument; unknown ones of a constant."""
        if not isinstance(tensor, Tensor):
            return ()
        return self.known(tensor) or unknown_axes(tensor.shape)

    def tracked(self) -> list[tuple[Axes, torch.Size]]:
        """The axes and shapes of all arguments that depend on the images, those that know most about positions first."""
        tensors = [leaf for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor)]
        found = [(axes, tensor.shape) for tensor in tensors if (axes := self.known(tensor)) is not None]
        return sorted(found, key=_disorder)


Rule = Callable[[Call], Sequence[Axes]]
"""Call → the axes of each result."""


def axes_after(call: Call) -> Sequence[Axes]:
    """The axes of each result of a call."""
    try:
        found = RULES.get(call.func, kept)(call)
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ):  # an unusual signature: nothing is known
        return [unknown_axes(result.shape) for result in call.results]
    pairs = zip(found, call.results, strict=False)
    fitting = [axes if len(axes) == result.ndim else unknown_axes(result.shape) for axes, result in pairs]
    return [*fitting, *(unknown_axes(result.shape) for result in call.results[len(fitting) :])]


def kept(call: Call) -> list[Axes]:
    """Axes of the same length, counted from the last one, as in broadcasting, keep their meaning."""
    return [_broadcast(call.tracked(), result.shape) for result in call.results]


def _broadcast(sources: Sequence[tuple[Axes, Sequence[int]]], shape: Sequence[int]) -> Axes:
    found = []
    for back in range(len(shape), 0, -1):
        length = shape[-back]
        matching = [axes[-back] for axes, own in sources if len(own) >= back and own[-back] == length]
        found.append(next((axis for axis in matching if is_known(axis)), whole(UNKNOWN, length)))
    return tuple(found)


def _disorder(source: tuple[Axes, Sequence[int]]) -> tuple[int, int]:
    """The lower, the more is known of positions: of a sum, the term counts whose rows and columns are in order."""
    axes, _ = source
    positions = sum(factor.of in tuple(POSITIONS) or isinstance(factor.of, Tokens) for axis in axes for factor in axis)
    return -sum(map(is_positional, axes)), -positions


def viewed(call: Call) -> Sequence[Axes]:
    """Views of the first argument; its selections by lists and tensors."""
    if call.func is T.__getitem__:
        return _indexed(call)
    return after_view(call.axes(call.args[0]), call.args[0].shape, call.func, call.args, call.kwargs)


def _indexed(call: Call) -> Sequence[Axes]:
    tensor, index = call.args
    index = index if isinstance(index, tuple) else (index,)
    lists = [i for i, each in enumerate(index) if isinstance(each, Tensor | list)]
    view = tuple(slice(None) if i in lists else each for i, each in enumerate(index))
    (axes,) = after_view(call.axes(tensor), tensor.shape, call.func, (tensor, view), {})
    if not lists:
        return [axes]
    at = sum(each is None or isinstance(each, slice) for each in view[: lists[0]])
    if len(lists) > 1 or Ellipsis in view[: lists[0]] or len(axes) != call.results[0].ndim:
        return [tuple(whole(OUT_OF_ORDER, length) for length in call.results[0].shape)]
    return [(*axes[:at], _selected(axes[at], call.results[0].shape[at]), *axes[at + 1 :])]


def _selected(axis: Axis, length: int) -> Axis:
    """An axis after a selection of its entries: in no order that is known, which matters for positions only."""
    return whole("c" if counts(axis, "c") else OUT_OF_ORDER, length)


def selected(call: Call) -> list[Axes]:
    """One axis is selected from or sorted."""
    given = call.named("input", *(("k", "dim") if call.func in SELECTING_MOST else ("dim", "index")))
    return _reordered(call, [given.get("dim", -1)])


def reversed_(call: Call) -> list[Axes]:
    """Axes are reversed."""
    return _reordered(call, leaves(call.kwargs.get("dims", call.args[1:])))


def _reordered(call: Call, dims: Sequence[int]) -> list[Axes]:
    axes = call.axes(call.args[0])
    gone = {dim % len(axes) for dim in dims}
    pairs = [list(zip(axes, result.shape, strict=True)) for result in call.results]
    return [tuple(_selected(axis, n) if i in gone else axis for i, (axis, n) in enumerate(each)) for each in pairs]


def turned(call: Call) -> list[Axes]:
    """No axis keeps its order."""
    return [tuple(whole(OUT_OF_ORDER, length) for length in result.shape) for result in call.results]


def rolled(call: Call) -> list[Axes]:
    """Rows or columns are moved around; the opposite roll brings them back."""
    given = call.named("input", "shifts", "dims")
    if given.get("dims") is None:
        return turned(call)
    axes = list(call.axes(call.args[0]))
    shifts, dims = (each if isinstance(each, tuple | list) else (each,) for each in (given["shifts"], given["dims"]))
    for shift, dim in zip(shifts, dims, strict=True):
        single = len(axes[dim]) == 1
        axes[dim] = tuple(_moved(factor, shift) if single else factor._replace(of=OUT_OF_ORDER) for factor in axes[dim])
    return [tuple(axes)]


def _moved(factor: Factor, shift: int) -> Factor:
    """The factor with its quantity shifted: h becomes h+3, and h again once the shifts make a whole turn."""
    if not isinstance(factor.of, str) or factor.of[0] not in POSITIONS or factor.size != factor.extent:
        return factor if factor.of == "c" else factor._replace(of=OUT_OF_ORDER)
    letter, _, before = factor.of.partition("+")
    now = (int(before or 0) + shift) % factor.extent
    return factor._replace(of=f"{letter}+{now}" if now else letter)


def _image_axes(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes with the unknown ones named as those of images: batch, channels, rows, columns."""
    names = axis_names(len(shape)) if len(shape) != 3 else "bc"  # three axes may be those of tokens
    unknown = [not is_known(axis) for axis in axes]
    named = [whole(name, length) for name, length in zip(names[1:], shape[1:], strict=False)]
    return tuple(named[i - 1] if 0 < i <= len(named) and unknown[i] else axis for i, axis in enumerate(axes))


def windowed(call: Call) -> list[Axes]:
    """Pooling, padding and resampling: axes keep their meaning at another length, as those of images where nothing is known."""
    axes = call.axes(call.args[0])
    same = [result for result in call.results if result.ndim == len(axes)]
    return [_image_axes(tuple(map(resized, axes, result.shape)), result.shape) for result in same]


def convolved(call: Call) -> list[Axes]:
    """A window slides over the axes after the channels, which come first."""
    return [(axes[0], whole("c", result.shape[1]), *axes[2:]) for axes, result in zip(windowed(call), call.results, strict=True)]


def patches(call: Call) -> list[Axes]:
    """Patches in a row, or images made of them, with the channels in axis 1."""
    (result,), axes = call.results, call.axes(call.args[0])
    unknown = (axes[0], whole("c", result.shape[1]), *(whole(UNKNOWN, length) for length in result.shape[2:]))
    return [_image_axes(unknown, result.shape)]


def linear(call: Call) -> list[Axes]:
    """The last axis is new."""
    return [(*call.axes(call.named("input")["input"])[:-1], whole("c", result.shape[-1])) for result in call.results]


def image_norm(call: Call) -> list[Axes]:
    """Batch, group and instance normalisation: channels in axis 1."""
    return [
        _with_channels(_image_axes(axes, result.shape), 1, result.shape)
        for axes, result in zip(kept(call), call.results, strict=True)
    ]


def last_norm(call: Call) -> list[Axes]:
    """Layer and root mean square normalisation: channels in the last axis, if that one is normalised alone."""
    alone = len(call.named("input", "normalized_shape")["normalized_shape"]) == 1
    return [
        _with_channels(axes, -1, result.shape) if alone else axes for axes, result in zip(kept(call), call.results, strict=True)
    ]


def _with_channels(axes: Axes, at: int, shape: Sequence[int]) -> Axes:
    """The axes with one that counts channels, unless it is known to count positions."""
    if is_positional(axes[at]):
        return axes
    changed = list(axes)
    changed[at] = whole("c", shape[at])
    return tuple(changed)


def product(call: Call) -> list[Axes]:
    """The rows of the left matrix and the columns of the right one; what a constant brings along is channels."""
    left, right = call.args[1::-1] if call.func is T.__rmatmul__ else call.args[:2]
    (result,) = call.results
    if min(left.ndim, right.ndim) < 2:
        return kept(call)
    row, column = (
        call.axes(m)[at] if call.known(m) is not None else whole("c", m.shape[at]) for m, at in ((left, -2), (right, -1))
    )
    around = [(call.axes(m)[:-2], m.shape[:-2]) for m in (left, right)]
    return [(*_broadcast(around, result.shape[:-2]), row, column)]


def einsum(call: Call) -> list[Axes]:
    """Each letter has one meaning; a letter of a constant alone is channels."""
    formula, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], tuple | list) else operands
    inputs, arrow, output = formula.replace(" ", "").partition("->")
    if not arrow or "." in formula:
        return kept(call)
    meaning: dict[str, Axis] = {}
    for letters, operand in sorted(zip(inputs.split(","), operands, strict=True), key=lambda pair: call.known(pair[1]) is None):
        for letter, axis, length in zip(letters, call.axes(operand), operand.shape, strict=True):
            meaning.setdefault(letter, axis if call.known(operand) is not None else whole("c", length))
    return [tuple(meaning[letter] for letter in output)]


def attention(call: Call) -> list[Axes]:
    """The positions of the query with the channels of the value."""
    query, value = call.args[0], call.args[2] if len(call.args) > 2 else call.kwargs["value"]
    return [(*call.axes(query)[:-1], call.axes(value)[-1])]


def multi_head_attention(call: Call) -> list[Axes]:
    """The positions of the query; the last axis is new."""
    return [(*call.axes(call.args[0])[:-1], whole("c", call.results[0].shape[-1]))]


def recurrent(call: Call) -> list[Axes]:
    """The steps of the input; the last axis of what comes out at each step is new. Of the states at the end nothing is known."""
    axes, output = call.axes(call.args[0]), call.results[0]
    return [(*axes[:-1], whole("c", output.shape[-1]))]


def reduced(call: Call) -> list[Axes]:
    """The axes that are left."""
    given = call.named("input", *(("p", "dim", "keepdim") if call.func in ops.NORMS else ("dim", "keepdim")))
    axes, dims = call.axes(call.args[0]), given.get("dim", given.get("axis"))
    if dims is None or (call.results and call.results[0].ndim == len(axes)):
        return kept(call)
    gone = {dim % len(axes) for dim in (dims if isinstance(dims, tuple | list | torch.Size) else (dims,))}
    return [tuple(axis for i, axis in enumerate(axes) if i not in gone) for _ in call.results]


def joined(call: Call) -> list[Axes]:
    """Channels beside channels, or tokens before and after those of the positions."""
    given = call.named("tensors", "dim")
    parts, (result,) = list(given["tensors"]), call.results
    dim = (given.get("dim", given.get("axis", 0)) or 0) % result.ndim
    along = [call.axes(part)[dim] for part in parts]
    lengths = [part.shape[dim] for part in parts]
    grids = [i for i, axis in enumerate(along) if is_positional(axis)]
    if not grids:
        channels = any(counts(axis, "c") for axis in along)
        axis = whole("c" if channels else UNKNOWN, result.shape[dim])
    elif len(grids) == 1 and (tokens := tokens_of(along[grids[0]])) is not None:
        before, after = sum(lengths[: grids[0]]), sum(lengths[grids[0] + 1 :])
        axis = token_axis(tokens._replace(before=tokens.before + before, after=tokens.after + after))
    else:
        axis = whole(OUT_OF_ORDER, result.shape[dim])
    others = list(_broadcast(sorted(_without(call, parts, dim), key=_disorder), result.shape))
    others[dim] = axis
    return [tuple(others)]


def _without(call: Call, parts: Sequence[Tensor], dim: int) -> list[tuple[Axes, list[int]]]:
    """The axes and shapes of parts that depend on the images, with nothing known of the axis along which they are joined."""
    tracked = [(list(call.axes(part)), list(part.shape)) for part in parts if call.known(part) is not None]
    for axes, shape in tracked:
        axes[dim] = whole(UNKNOWN, shape[dim])
    return [(tuple(axes), shape) for axes, shape in tracked]


def stacked(call: Call) -> list[Axes]:
    """A new axis, of which nothing is known."""
    given, (result,) = call.named("tensors", "dim"), call.results
    dim = (given.get("dim", 0) or 0) % result.ndim
    inner = _broadcast(call.tracked(), [length for i, length in enumerate(result.shape) if i != dim])
    return [(*inner[:dim], whole(UNKNOWN, result.shape[dim]), *inner[dim:])]


SELECTING: ops.Category = (*(torch.index_select, T.index_select, torch.gather, T.gather, torch.sort, T.sort),)
SELECTING_MOST: ops.Category = (torch.topk, T.topk)
PATCHES: ops.Category = (F.unfold, F.fold, F.pixel_shuffle, F.pixel_unshuffle, torch.pixel_shuffle, torch.pixel_unshuffle)
REDUCTIONS: ops.Category = (
    *(*ops.SUMS_OVER_AXES, *ops.MAXIMA_OVER_AXES, *ops.MINIMA_OVER_AXES, *ops.NORMS, *ops.VARIANCES),
    *(torch.max, T.max, torch.min, T.min, torch.logsumexp, T.logsumexp, torch.median, T.median, torch.prod, T.prod),
)

TABLE: Sequence[tuple[ops.Category, Rule]] = (
    (ops.VIEWS, viewed),
    ((*ops.CONVOLUTIONS, *ops.TRANSPOSED_CONVOLUTIONS), convolved),
    ((*ops.AVERAGE_POOLING, *ops.MAX_POOLING, *ops.INTERPOLATIONS, *ops.PADDING, F.grid_sample), windowed),
    (PATCHES, patches),
    (ops.DENSE, linear),
    ((*ops.BATCH_NORMALISATIONS, F.group_norm, *ops.INSTANCE_NORMALISATIONS), image_norm),
    (ops.LAST_AXES_NORMALISATIONS, last_norm),
    ((*ops.MATRIX_PRODUCTS, T.__rmatmul__, torch.bmm, T.bmm), product),
    ((torch.einsum,), einsum),
    (ops.ATTENTIONS, attention),
    (ops.MULTI_HEAD_ATTENTIONS, multi_head_attention),
    (ops.RECURRENT_LAYERS, recurrent),
    (REDUCTIONS, reduced),
    (ops.JOINS, joined),
    (ops.STACKS, stacked),
    ((torch.roll, T.roll), rolled),
    ((*SELECTING, *SELECTING_MOST), selected),
    ((torch.flip, T.flip), reversed_),
    ((torch.rot90, torch.take_along_dim, T.take_along_dim), turned),
)
RULES: Mapping[Callable[..., Any], Rule] = {func: rule for category, rule in TABLE for func in category}
