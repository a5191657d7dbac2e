"""Capture of a layer's activation inside a running network, read as a grid of positions, and changes of it.

A layer is a module, known by its name; what functions compute between modules is not captured. Of a module that runs more than
once, the last call counts that the output depends on; of an output with several tensors, the first. Hooks exist inside a block
only, also after an exception, and parameters and their gradients are never touched. Modules are looked up in the network that
computes the passes: in the accelerated copy, if the model has one, where a layer before a folded normalisation is normalised
already.

Which layer, and in which order its axes lie, is found by one traced forward pass of at most two images (see `layer_trace.py`),
which is remembered for as long as the network lives and is not counted. Where no layer is named, it is the last module by
execution, other than the network itself, that has more than one position and that the output is computed from, and by no way
around what the module returned; where the output sums a segmentation, none that has one channel for each class, which is the
segmentation itself. If it has leading tokens, the output may read nothing but those, so that the gradient at the
positions is zero: then the last such module before the last attention is chosen.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.models.checkpointing import whole_graph
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.no_gradients import no_gradients
from heatproof.tracing.grid import Grid, Layout
from heatproof.tracing.layer_trace import LayerTrace, Returned, first_tensor, with_first_tensor

LISTED = 12
"""How many layers an error message lists."""

_traces: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], LayerTrace]]" = weakref.WeakKeyDictionary()
"""The traces of networks that ran before; the meaning of axes does not change with the weights."""


class Site(NamedTuple):
    """Where in a forward pass an activation is.

    Attributes:
        name: Name of the module.
        call: Which call of the module, counted from 1.
        grid: How its output is read.
    """

    name: str
    call: int
    grid: Grid


@dataclass
class Capture:
    """What the hook of a `capture` block has recorded.

    Attributes:
        site: Where the activation is.
        cut: Whether the graph begins at the layer; otherwise it reaches back to the images.
        activation: The activation, in the graph of the forward pass if there is one; None before the layer ran.
        calls: How often the module ran.
    """

    site: Site
    cut: bool = True
    activation: Tensor | None = None
    calls: int = 0

    def record(self, output: Any) -> Any:
        """Record the output of the module, and return a copy for the network to go on with, which it may overwrite."""
        self.calls += 1
        tensor = first_tensor(output)
        if self.calls != self.site.call or tensor is None:
            return output
        if torch.is_grad_enabled() and (self.cut or not tensor.requires_grad):
            tensor = tensor.detach().requires_grad_()  # the graph begins here and takes no memory for earlier layers
        self.activation = tensor
        return with_first_tensor(output, tensor.clone())


@contextmanager
def capture(model: Model, site: Site, *, cut: bool = True) -> Iterator[Capture]:
    """Capture a layer's activation while the network runs inside the block.

    Args:
        model: The model.
        site: Where the activation is; see `site_of`.
        cut: Whether the graph begins at the layer; otherwise it reaches back to the images.

    Yields:
        The capture; its `activation` is there after the forward pass.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.tracing.capture import capture, site_of
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> site = site_of(model, images)
    >>> with model.running(), capture(model, site) as captured:
    ...     outputs = model.outputs(images)
    >>> site.grid.layout, site.grid.of(captured.activation).shape[2:]
    ('b c h w', torch.Size([7, 7]))
    """
    captured = Capture(site, cut)
    with ExitStack() as stack:
        stack.enter_context(uncompiled(model))
        stack.enter_context(whole_graph())
        module = named_network(model).get_submodule(site.name)
        stack.callback(module.register_forward_hook(lambda _, __, output: captured.record(output)).remove)
        yield captured


@contextmanager
def intervention(model: Model, site: Site, change: Callable[[Tensor], None]) -> Iterator[None]:
    """Change an activation while the network runs inside the block, in one forward pass.

    Args:
        model: The model.
        site: Where the activation is.
        change: Overwrites a copy of the activation, which it gets on its grid `[b, c, *space]`.
    """
    calls = 0

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        tensor = first_tensor(output)
        if calls != site.call or tensor is None:
            return output
        changed = tensor.clone()
        change(site.grid.of(changed))
        return with_first_tensor(output, changed)

    with uncompiled(model):
        handle = named_network(model).get_submodule(site.name).register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def site_of(model: Model, images: Float[Tensor, "b c *space"], layer: str | None = None, layout: Layout | None = None) -> Site:
    """Where the activation of a layer is, and how it is read. Cost: a forward pass of two images when the network is first met.

    Args:
        model: The model.
        images: Images of the size that the network runs on.
        layer: Name of the module; None = chosen by execution.
        layout: The order of the axes of the layer's output; None = what made it decides.

    Raises:
        SettingsError: The network has no such layer, or the layer has no grid, more than one, or none that the output depends on;
            the message lists the layers that it has.
        ModelError: No layer of the network has a grid, or a part of the network hides its operations.
    """
    if model.black_box:
        raise ModelError(f"{model.name}: expected a network with layers, got a function, which gives outputs only")
    trace = _trace(model, images)
    if layer is not None:
        return _named_site(model, trace, layer, layout)
    if isinstance(model.output, Output) and model.output.of_pixels:
        trace = trace.without_class_scores()
    chosen = _last_upstream(trace, trace.returned, layout)
    if chosen is None:
        raise ModelError(
            f"{model.name}: expected a layer with more than one position, [b, c, h, w], [b, h, w, c] or [b, n, c], got none; "
            "activation maps need a network of modules that keeps places apart: use a gradient method"
        )
    if chosen[1][0].leading > 0 and trace.before_attention is not None:
        chosen = _last_upstream(trace, trace.returned[: trace.before_attention], layout) or chosen
    returned, grids = chosen
    if len(grids) > 1:
        raise ModelError(f"{model.name}: {_two_readings(returned, grids)}, or name another layer with layer=")
    return Site(returned.name, returned.call, grids[0])


def spatial_layers(model: Model, images: Float[Tensor, "b c *space"]) -> dict[str, tuple[int, ...]]:
    """The layers with a grid. Cost: a forward pass of two images when the network is first met.

    Returns:
        Name → (channels, height, width), in the order of execution; (channels, length) of signals, (channels, depth, height, width)
        of volumes.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.tracing.capture import spatial_layers
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> len(spatial_layers(model, torch.zeros(1, 1, 28, 28))) > 0
    True
    """
    return _layers(_trace(model, images), None)


def default_layer(model: Model, images: Float[Tensor, "b c *space"]) -> str:
    """The name of the layer that is chosen where none is named. Cost: a forward pass of two images when the network is first met.

    Raises:
        ModelError: No layer has a grid.
    """
    return site_of(model, images).name


def captured_activation(captured: Capture, model: Model) -> Tensor:
    """The activation captured in a forward pass.

    Raises:
        ModelError: The layer did not run as in the pass that was traced.
    """
    if captured.activation is None:
        raise ModelError(
            f"{model.name}: expected the layer {captured.site.name!r} to run {captured.site.call} times for all images, as for the "
            f"first, got {captured.calls}; name a layer that runs for every image"
        )
    return captured.activation


def _trace(model: Model, images: Tensor) -> LayerTrace:
    """The trace of a network on images of that shape, remembered until a module of it is exchanged; edited copies share it."""
    network = named_network(model)
    structure = tuple((name, type(module)) for name, module in network.named_modules())
    traces = _traces.setdefault(model.original or network, {})
    key = (structure, tuple(images.shape[1:]), images.dtype)
    if key not in traces:
        traces[key] = _traced(model, images[: min(2, model.chunk or 2)])
    return traces[key]


def _traced(model: Model, images: Tensor) -> LayerTrace:
    with no_gradients(), model.running(), ExitStack() as stack:
        stack.enter_context(uncompiled(model))
        images = images.clone()
        trace = LayerTrace(named_network(model), images)
        for handle in trace.watch(named_network(model)):
            stack.callback(handle.remove)
        with trace:
            output = model.outputs(images)
        trace.end(output)
    return trace


def _last_upstream(trace: LayerTrace, candidates: Sequence[Returned], layout: Layout | None) -> tuple[Returned, list[Grid]] | None:
    """The last with a grid that the output is computed from; one that it reads around, or mere weights, only if all are such."""
    second_choice = None
    for returned in reversed(candidates):
        grids = trace.readings(returned, layout) if trace.is_upstream(returned) else []
        if not grids:
            continue
        if not trace.is_read_around(returned) and not trace.weighs_positions(returned, grids[0].channels(returned.shape)):
            return returned, grids
        second_choice = second_choice or (returned, grids)
    return second_choice


def _named_site(model: Model, trace: LayerTrace, layer: str, layout: Layout | None) -> Site:
    modules = dict(named_network(model).named_modules(remove_duplicate=False))
    if layer == "" or layer not in modules:
        raise _no_such_layer(model, trace, layer, "is no module of the network")
    name = next(name for name, module in named_network(model).named_modules() if module is modules[layer])
    calls = [returned for returned in trace.returned if returned.name == name]
    with_grid = [(returned, grids) for returned in calls if (grids := trace.readings(returned, layout))]
    if not with_grid:
        order = "" if layout is None else f" in the order {layout!r}"
        why = f"has no output of more than one position{order}" if trace.calls.get(name) else "does not run"
        raise _no_such_layer(model, trace, layer, why)
    upstream = [pair for pair in with_grid if trace.is_upstream(pair[0])]
    if not upstream:
        raise _no_such_layer(model, trace, layer, "returns first what the output does not depend on")
    returned, grids = upstream[-1]
    if len(grids) > 1:
        raise SettingsError(f"layer {layer!r} of {model.name}: {_two_readings(returned, grids)}")
    if trace.is_read_around(returned) and not returned.given:
        raise _no_such_layer(model, trace, layer, "returns first what the output also reads by another way")
    return Site(layer, returned.call, grids[0])


def _two_readings(returned: Returned, grids: Sequence[Grid]) -> str:
    fitting = " and ".join(f"{grid.layout!r} ({' × '.join(map(str, grid.space))})" for grid in grids)
    return (
        f"expected a layer whose axes can be read in one way, got {returned.name!r} {list(returned.shape)}, which fits {fitting}; "
        f"say which with layout={grids[0].layout!r}"
    )


def _layers(trace: LayerTrace, layout: Layout | None) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for returned in trace.returned:
        grids = trace.readings(returned, layout)
        if len(grids) == 1:
            found.pop(returned.name, None)
            found[returned.name] = (grids[0].channels(returned.shape), *grids[0].space)
    return found


def named_network(model: Model) -> nn.Module:
    """The network that computes the passes; its modules have the names that they have in the caller's module."""
    network: nn.Module = model.module if model.engine is None else getattr(model.engine, "module", model.engine)
    return network.get_submodule("_orig_mod") if _compiled(network) else network


def _compiled(network: nn.Module) -> bool:
    return "_orig_mod" in network._modules


def uncompiled(model: Model) -> AbstractContextManager[object]:
    """A block in which compiled parts run uncompiled: compiled code ignores hooks that were added later, and hides operations."""
    return torch.compiler.set_stance("force_eager") if is_compiled(model) else nullcontext()


def is_compiled(model: Model) -> bool:
    """Whether compiled code computes the passes, at least in part."""
    return any(_compiled(module) for module in (model.engine or model.module).modules())


def _no_such_layer(model: Model, trace: LayerTrace, layer: str, why: str) -> SettingsError:
    shapes = _layers(trace, None)
    last = [f"{name} {list(shape)}" for name, shape in list(shapes.items())[-LISTED:]]
    earlier = f" (and {len(shapes) - len(last)} before)" if len(shapes) > len(last) else ""
    return SettingsError(
        f"layer: expected a layer of {model.name} with more than one position, got {layer!r}, which {why}; "
        f"in order of execution, with its channels and positions: {', '.join(last) or 'none'}{earlier}"
    )
