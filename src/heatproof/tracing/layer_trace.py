"""One traced forward pass: which modules give a grid of positions, and whether the output depends on them.

The trace notes for every tensor that depends on the images what its axes mean (see `axis_rules.py`) and which tensors it was
computed from. What a module returns is handed on as a new tensor, so that it is known afterwards whether the output was computed
from what the module returned, or around it: from another of its results, or from the same tensor before it was returned.

What a network detaches is not followed, unless it detaches its output. The network runs without gradients, and no activation is
kept.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.tracing import catalogue as ops
from heatproof.tracing.axes import Axes, Tokens, axis_names, is_known, tokens_of, unknown_axes, whole
from heatproof.tracing.axis_rules import Call, axes_after
from heatproof.tracing.grid import Grid, Layout, readings
from heatproof.tracing.tracer import Tracer, leaves

ATTENTION = ("attention", "attn")
"""Words in the class names of modules that mix tokens."""
IMAGES = 0
"""The node of the images in the graph of dependence."""


class TracedTensor(NamedTuple):
    """What is known of a tensor: what its axes mean, and its number in the graph of dependence."""

    axes: Axes
    number: int


@dataclass(frozen=True)
class Returned:
    """What one call of a module returned first.

    Attributes:
        name: Name of the module.
        call: Which call of the module, counted from 1.
        axes: What is known of the tensor's axes.
        shape: Its shape.
        made: Its node.
        handed_on: The node of the tensor that the network went on with.
        given: Whether the tensor was given to the module, which returned it as it is.
    """

    name: str
    call: int
    axes: Axes
    shape: tuple[int, ...]
    made: int
    handed_on: int
    given: bool


class LayerTrace(Tracer):
    """The tracer of one forward pass of some images; `watch` hooks the modules, `end` takes the output.

    Args:
        network: The network, of which nothing is kept.
        images: The images `[b, c, h, w]`, signals `[b, c, t]` or volumes `[b, c, d, h, w]` that pass.

    Raises:
        ModelError: A part of the network hides its operations.
    """

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        super().__init__(network)
        self.rows, self.space = len(images), tuple(images.shape[2:])
        self.returned: list[Returned] = []
        self.calls: dict[str, int] = {}
        self.before_attention: int | None = None
        self.seen: dict[int, Tokens] = {}
        self._nodes: Any = WeakIdKeyDictionary()
        self._parents: list[tuple[int, ...]] = [()]
        self._nodes[images] = TracedTensor(tuple(map(whole, axis_names(images.ndim), images.shape)), IMAGES)
        self._output: int | None = None
        self._classes = 0
        self._cut: set[int] = set()
        self._reached: set[int] = set()

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the images."""
        return tensor in self._nodes

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the operation, and note what its results mean and depend on."""
        written = args[0] if ops.writes_in_place(func) and args and isinstance(args[0], Tensor) else None
        before = None if written is None else torch.empty_like(written, device="meta")
        result = func(*args, **kwargs)
        if func in ops.CONSTANTS_LIKE:
            return result
        results = [leaf for leaf in leaves(result) if isinstance(leaf, Tensor)]
        fresh = [tensor for tensor in results if tensor not in self._nodes]
        alone = func in ops.VIEWS or func in ops.CASTS  # of other arguments they read the shape or the type
        if alone and tracked[0] is not args[0]:
            return result
        sources = tracked[:1] if alone else tracked
        parents = tuple(dict.fromkeys(self._nodes[tensor].number for tensor in sources))
        call = Call(func, args, kwargs, lambda tensor: self._nodes[tensor].axes if tensor in self._nodes else None, fresh)
        for tensor, axes in zip(fresh, axes_after(call) if fresh else (), strict=True):
            if tensor.is_floating_point() or tensor.is_complex():
                self._note(tensor, axes, parents)
                if func in ops.DETACHED:
                    self._cut.add(self._nodes[tensor].number)
        if written is not None:
            if before is not None and (before.shape, before.stride()) != (written.shape, written.stride()):
                self._move(written, before, call)
            self._write(written, parents)
        return result

    def _move(self, tensor: Tensor, before: Tensor, call: Call) -> None:
        """Note that the axes of a tensor were moved in place, as by `transpose_`."""
        old, name = self._nodes.get(tensor), call.func.__name__.removesuffix("_")
        if old is not None:
            moved = Call(getattr(Tensor, name, call.func), (before, *call.args[1:]), call.kwargs, lambda _: old.axes, [tensor])
            self._nodes[tensor] = old._replace(axes=axes_after(moved)[0])

    def _write(self, tensor: Tensor, parents: tuple[int, ...]) -> None:
        """Note that a tensor, and the one it is a view of, were overwritten with values that depend on others."""
        for changed in (tensor, tensor._base):
            if changed is None:
                continue
            old = self._nodes.get(changed)
            axes = unknown_axes(changed.shape) if old is None else old.axes
            self._note(changed, axes, parents if old is None else tuple(dict.fromkeys((old.number, *parents))))

    def _note(self, tensor: Tensor, axes: Axes, parents: tuple[int, ...]) -> None:
        self._nodes[tensor] = TracedTensor(axes, len(self._parents))
        self._parents.append(parents)
        for axis, length in zip(axes, tensor.shape, strict=True):
            if (tokens := tokens_of(axis)) is not None:
                self.seen[length] = tokens

    def watch(self, network: nn.Module) -> Iterable[Any]:
        """Hook every module of a network but itself; returns the handles."""
        for name, module in network.named_modules():
            if name == "":
                continue
            if any(word in type(module).__name__.lower() for word in ATTENTION):
                yield module.register_forward_pre_hook(self._begin_attention)
            yield module.register_forward_hook(
                lambda _, args, kwargs, output, name=name: self._return(name, (args, kwargs), output), with_kwargs=True
            )

    def _begin_attention(self, *_: Any) -> None:
        self.before_attention = len(self.returned)

    def _return(self, name: str, inputs: Any, output: Any) -> Any:
        self.calls[name] = self.calls.get(name, 0) + 1
        tensor = first_tensor(output)
        if tensor is None or not tensor.is_floating_point() or 0 in tensor.shape:
            return output
        given = [leaf for leaf in pytree.tree_leaves(inputs) if isinstance(leaf, Tensor)]
        sources = [leaf for leaf in given if leaf in self._nodes]
        if tensor not in self._nodes:
            if not sources:
                return output
            self._note(tensor, unknown_axes(tensor.shape), tuple(self._nodes[leaf].number for leaf in sources))
        if sources:
            self._complete(tensor, sources[0])
        made = self._nodes[tensor]
        copy = tensor.view_as(tensor)
        handed_on = self._nodes[copy].number
        is_given = any(leaf is tensor for leaf in given)
        self.returned.append(Returned(name, self.calls[name], made.axes, tuple(tensor.shape), made.number, handed_on, is_given))
        return with_first_tensor(output, copy)

    def _complete(self, tensor: Tensor, source: Tensor) -> None:
        """Name axes that a module's operations left unknown by those of its input, where rank and length are the same."""
        own, of = self._nodes[tensor], self._nodes[source]
        if tensor.ndim != source.ndim or all(map(is_known, own.axes)):
            return
        pairs = zip(own.axes, of.axes, tensor.shape, source.shape, strict=True)
        axes = tuple(theirs if not is_known(mine) and m == n else mine for mine, theirs, m, n in pairs)
        self._nodes[tensor] = own._replace(axes=axes)

    def end(self, output: Tensor) -> None:
        """Note the output of the network, and release all tensors."""
        self._output = self._nodes[output].number if output in self._nodes else None
        self._classes = output.shape[1]
        if IMAGES not in self._upstream():
            self._cut.clear()  # no gradient comes through at all: what the output is computed from is told by the values
        self._reached = self._upstream()
        self._nodes.clear()
        self.forget_replacements()

    # --- what the trace tells --------------------------------------------------------------------------------------------

    def readings(self, returned: Returned, layout: Layout | None) -> list[Grid]:
        """All grids as which a module's result may be read."""
        return readings(returned.axes, returned.shape, self.rows, self.space, self.seen, layout)

    def without_class_scores(self) -> Self:
        """The trace without the modules that give one channel for each class, or one for two classes."""
        scores = (self._classes, 1) if self._classes == 2 else (self._classes,)
        kept = [
            returned
            for returned in self.returned
            if not any(grid.channels(returned.shape) in scores for grid in self.readings(returned, None))
        ]
        trace = copy.copy(self)
        trace.returned = kept
        return trace

    def is_upstream(self, returned: Returned) -> bool:
        """Whether the output is computed from what the module returned; also where the output could not be traced."""
        return self._output is None or returned.handed_on in self._reached

    def is_read_around(self, returned: Returned) -> bool:
        """Whether the output is computed from the module's result otherwise than through what the module returned first."""
        return returned.made in self._upstream(around=returned.handed_on)

    def weighs_positions(self, returned: Returned, channels: int) -> bool:
        """Whether the result is no representation of the image but one weight for each position, such as an attention computes.

        It has one channel, and the output reads the image by other ways as well.
        """
        return channels == 1 and IMAGES in self._upstream(around=returned.handed_on)

    def _upstream(self, around: int | None = None) -> set[int]:
        """The nodes that the output is computed from, by a way around a node."""
        if self._output is None:
            return set()
        found, waiting = {self._output}, [self._output]
        while waiting:
            current = waiting.pop()
            for parent in () if current in self._cut else self._parents[current]:
                if parent not in found and parent != around:
                    found.add(parent)
                    waiting.append(parent)
        return found


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor in what a module returned."""
    return next((leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor)), None)


def with_first_tensor(output: Any, tensor: Tensor) -> Any:
    """What a module returned, with another first tensor, wherever that is among the results."""
    first, (found, structure) = first_tensor(output), pytree.tree_flatten(output)
    return pytree.tree_unflatten([tensor if leaf is first else leaf for leaf in found], structure)
