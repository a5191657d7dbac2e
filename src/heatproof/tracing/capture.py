"""Capture of a layer's activation inside a running network, read as a grid of positions, and changes of it.

    [b, c, h, w]   is read as it stands
    [b, h, w, c]   with channels last, as in Swin, is read as [b, c, h, w]
    [b, t + n, c]  tokens without the t leading ones (class, distillation, registers) are read as [b, c, h, w] with h w = n, where
                   h : w is the ratio of the image

A layer is a module, known by its name; what functions compute between modules is not captured. Of a module that runs more than
once, the last call counts; of an output with several tensors, the first. Hooks exist inside a block only, also after an exception,
and parameters and their gradients are never touched. Modules are looked up in the network that computes the passes: in the
accelerated copy, if the model has one, where a layer before a folded normalisation is normalised already.

Where no layer is named, one is chosen by execution: the last module, other than the network itself, whose output has more than one
position. If that output has leading tokens, the network's output may read nothing but those, so that the gradient at the positions
is zero: then the last activation before the last attention is chosen.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from heatproof.core.errors import ModelError, SettingsError
from heatproof.models.model import Model

LEADING = (0, 1, 2, 5)
"""Numbers of tokens before those of the positions: none; class; class and distillation; class and four registers."""
ATTENTION = ("attention", "attn")
"""Words in the class names of modules that mix tokens."""
LISTED = 12
"""How many layers an error message lists."""


class Grid(NamedTuple):
    """How a tensor is read as `[b, c, h, w]`.

    Attributes:
        layout: The order of its axes.
        h: Height of the grid.
        w: Width of the grid.
        leading: Number of tokens before those of the positions.
    """

    layout: Literal["channels first", "channels last", "tokens"]
    h: int
    w: int
    leading: int = 0

    def of(self, activation: Tensor) -> Float[Tensor, "b c h w"]:
        """The activation on its grid; a view, so that writing to it writes to the activation."""
        if self.layout == "channels first":
            return activation
        if self.layout == "channels last":
            return activation.permute(0, 3, 1, 2)
        tokens = activation[:, self.leading :].transpose(1, 2)
        return tokens.view(*tokens.shape[:2], self.h, self.w)


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
    """What the hooks of a `capture` block have recorded.

    Attributes:
        space: Height and width of the images.
        layer: Name of the module to capture; None = chosen among all.
        cut: Whether the graph begins at a named layer; otherwise it reaches back to the images.
        latest: The last activation with a grid, and its site.
        before_attention: The activation that was the last one when the last attention began.
        shapes: Channels, height and width of every module with a grid, in the order of their last calls.
        calls: How often each module ran.
    """

    space: tuple[int, int]
    layer: str | None
    cut: bool = True
    latest: tuple[Site, Tensor] | None = None
    before_attention: tuple[Site, Tensor] | None = None
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, output: Any) -> Any:
        """Record the output of a module, and return a copy for the network to go on with, which it may overwrite."""
        self.calls[name] = self.calls.get(name, 0) + 1
        tensor = _first_tensor(output)
        grid = None if tensor is None else grid_of(tensor, self.space)
        if tensor is None or grid is None:
            return output
        if torch.is_grad_enabled() and ((self.cut and self.layer is not None) or not tensor.requires_grad):
            tensor = tensor.detach().requires_grad_()  # the graph begins here and takes no memory for earlier layers
        self.latest = Site(name, self.calls[name], grid), tensor
        self.shapes.pop(name, None)
        self.shapes[name] = (grid.of(tensor).shape[1], grid.h, grid.w)
        return _with_first_tensor(output, tensor.clone())

    def begin_attention(self) -> None:
        """Record that an attention begins."""
        self.before_attention = self.latest

    @property
    def activation(self) -> tuple[Site, Tensor] | None:
        """The captured activation, in the graph of the forward pass if there is one; None where no layer has a grid."""
        has_leading_tokens = self.latest is not None and self.latest[0].grid.leading > 0
        return self.before_attention if self.layer is None and has_leading_tokens and self.before_attention else self.latest


@contextmanager
def capture(model: Model, images: Float[Tensor, "b c h w"], layer: str | None, *, cut: bool = True) -> Iterator[Capture]:
    """Capture a layer's activation while the network runs inside the block.

    Args:
        model: The model.
        images: Images of the size that the network runs on.
        layer: Name of the module; None = chosen by execution.
        cut: Whether the graph begins at a named layer; otherwise it reaches back to the images.

    Yields:
        The capture; its `activation` is there after the forward pass.

    Raises:
        SettingsError: The network has no such module; the message lists the layers that it has.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.tracing.capture import capture
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> with model.running(), capture(model, images, None) as captured:
    ...     outputs = model.outputs(images)
    >>> site, activation = captured.activation
    >>> site.grid.layout, activation.ndim
    ('channels first', 4)
    """
    captured = Capture((images.shape[2], images.shape[3]), layer, cut)
    modules = dict(named_network(model).named_modules(remove_duplicate=False))
    if layer is not None and (layer == "" or layer not in modules):
        raise _no_such_layer(model, images, layer, "is no module of the network")
    with ExitStack() as stack:
        stack.enter_context(uncompiled(model))
        watched = named_network(model).named_modules() if layer is None else [(layer, modules[layer])]
        for name, module in watched:
            if name == "":
                continue
            if any(word in type(module).__name__.lower() for word in ATTENTION):
                stack.callback(module.register_forward_pre_hook(lambda *_: captured.begin_attention()).remove)
            hook = module.register_forward_hook(lambda _, __, output, name=name: captured.record(name, output))
            stack.callback(hook.remove)
        yield captured


@contextmanager
def intervention(model: Model, site: Site, change: Callable[[Tensor], None]) -> Iterator[None]:
    """Change an activation while the network runs inside the block, in one forward pass.

    Args:
        model: The model.
        site: Where the activation is.
        change: Overwrites a copy of the activation, which it gets on its grid `[b, c, h, w]`.
    """
    calls = 0

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        tensor = _first_tensor(output)
        if calls != site.call or tensor is None:
            return output
        changed = tensor.clone()
        change(site.grid.of(changed))
        return _with_first_tensor(output, changed)

    with uncompiled(model):
        handle = named_network(model).get_submodule(site.name).register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def spatial_layers(model: Model, images: Float[Tensor, "b c h w"]) -> dict[str, tuple[int, int, int]]:
    """The layers with a grid. Cost: one forward pass, of the first image.

    Returns:
        Name → (channels, height, width), in the order of execution.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.tracing.capture import spatial_layers
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> len(spatial_layers(model, torch.zeros(1, 1, 28, 28))) > 0
    True
    """
    with torch.inference_mode(), model.running(), capture(model, images, None) as captured:
        model.outputs(images[:1].clone())
    return captured.shapes


def default_layer(model: Model, images: Float[Tensor, "b c h w"]) -> str:
    """The name of the layer that is chosen where none is named. Cost: one forward pass, of the first image.

    Raises:
        ModelError: No layer has a grid.
    """
    with torch.inference_mode(), model.running(), capture(model, images, None) as captured:
        model.outputs(images[:1].clone())
    return captured_activation(captured, model, images)[0].name


def captured_activation(captured: Capture, model: Model, images: Float[Tensor, "b c h w"]) -> tuple[Site, Tensor]:
    """The activation captured in a forward pass, and its site.

    Raises:
        SettingsError: The named layer did not run, or has no grid.
        ModelError: No layer of the network has one.
    """
    if captured.activation is not None:
        return captured.activation
    if captured.layer is None:
        raise ModelError(
            f"{model.name}: expected a layer with more than one position, [b, c, h, w], [b, h, w, c] or [b, n, c], got none; "
            "activation maps need a network of modules that keeps places apart: use a gradient method"
        )
    why = "has no output of more than one position" if captured.calls else "does not run"
    raise _no_such_layer(model, images, captured.layer, why)


def grid_of(activation: Tensor, space: tuple[int, int]) -> Grid | None:
    """How an activation for images of that height and width is read; None if it has no more than one position."""
    shape = tuple(activation.shape)
    if not activation.is_floating_point() or 0 in shape:
        return None
    if len(shape) == 4:
        last = not _same_ratio(shape[2:], space) and _same_ratio(shape[1:3], space)
        h, w = shape[1:3] if last else shape[2:]
        return Grid("channels last" if last else "channels first", h, w) if h * w > 1 else None
    if len(shape) != 3:
        return None
    fitting = [
        (abs(h * space[1] - n // h * space[0]), leading, h, n // h)
        for leading in LEADING
        for n in [shape[1] - leading]
        for h in range(1, n + 1)
        if n > 1 and n % h == 0 and _same_ratio((h, n // h), space)
    ]
    if not fitting:
        return None
    _, leading, h, w = min(fitting)
    return Grid("tokens", h, w, leading)


def _same_ratio(grid: tuple[int, ...], space: tuple[int, int]) -> bool:
    """Whether height : width is that of the image, up to rounding to whole cells."""
    (h, w), (height, width) = grid, space
    return abs(h * width - w * height) < max(height, width)


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


def _first_tensor(output: Any) -> Tensor | None:
    return next((leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor)), None)


def _with_first_tensor(output: Any, tensor: Tensor) -> Any:
    leaves, structure = pytree.tree_flatten(output)
    first = next(i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor))
    return pytree.tree_unflatten([*leaves[:first], tensor, *leaves[first + 1 :]], structure)


def _no_such_layer(model: Model, images: Tensor, layer: str, why: str) -> SettingsError:
    shapes = spatial_layers(model, images)
    last = [f"{name} {list(shape)}" for name, shape in list(shapes.items())[-LISTED:]]
    earlier = f" (and {len(shapes) - len(last)} before)" if len(shapes) > len(last) else ""
    return SettingsError(
        f"layer: expected a layer of {model.name} with more than one position, got {layer!r}, which {why}; "
        f"in order of execution, with [channels, height, width]: {', '.join(last) or 'none'}{earlier}"
    )
