"""The activation of a layer inside a running network, read as a grid of positions, and a change of it.

    [b, c, h, w]   as it stands
    [b, h, w, c]   channels last, as Swin has them → [b, c, h, w]
    [b, t + n, c]  tokens → the t leading ones (class, distillation, registers) dropped → [b, c, h, w],  h w = n, h : w as the image

The layer is a module, known by its name; what functions compute between modules is not seen. Of a module that runs more than once,
the last call counts; of an output with several tensors, the first. Hooks stand while a block lasts and are gone after it, also
after an exception; parameters and their gradients are never touched. Modules are sought where the rows are computed: in the
accelerated copy, if the model has one. There, a layer before a folded normalisation is normalised already.

With no name, the layer is chosen by execution: the last module but the network itself whose output has more than one position. If
that one has leading tokens, the output may read nothing but those, and the positions' gradient be zero: then it is the last one
before the last attention.
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
"""Tokens that may come before those of the positions: none; class; class and distillation; class and four registers."""
ATTENTION = ("attention", "attn")
"""What the class of a module that mixes tokens has in its name."""
LISTED = 12
"""Layers that a refusal names."""


class Grid(NamedTuple):
    """How a tensor is read as `[b, c, h, w]`."""

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
    """Where in a run an activation is: the module's name, which of its calls, and its grid."""

    name: str
    call: int
    grid: Grid


@dataclass
class Capture:
    """What the hooks of a block have seen.

    layer   name of the module; None = chosen among all.
    cut     whether the graph begins at a layer that is named; otherwise it reaches back to the images.
    held    the last activation, and where it was.
    before  that before the last attention began.
    shapes  of all modules seen that have a grid, in order of their last call: channels, height, width.
    """

    space: tuple[int, int]
    layer: str | None
    cut: bool = True
    held: tuple[Site, Tensor] | None = None
    before: tuple[Site, Tensor] | None = None
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def see(self, name: str, output: Any) -> Any:
        """Hold the activation; the network goes on with a copy, which it may overwrite."""
        self.calls[name] = self.calls.get(name, 0) + 1
        tensor = _first_tensor(output)
        grid = None if tensor is None else grid_of(tensor, self.space)
        if tensor is None or grid is None:
            return output
        if torch.is_grad_enabled() and ((self.cut and self.layer is not None) or not tensor.requires_grad):
            tensor = tensor.detach().requires_grad_()  # the graph begins here: no memory for what lies before
        self.held = Site(name, self.calls[name], grid), tensor
        self.shapes.pop(name, None)
        self.shapes[name] = (grid.of(tensor).shape[1], grid.h, grid.w)
        return _with_first_tensor(output, tensor.clone())

    def mark(self) -> None:
        """An attention begins."""
        self.before = self.held

    @property
    def found(self) -> tuple[Site, Tensor] | None:
        """The activation that counts, in the graph of the run if there is one."""
        unread = self.held is not None and self.held[0].grid.leading > 0
        return self.before if self.layer is None and unread and self.before is not None else self.held


@contextmanager
def capture(model: Model, images: Float[Tensor, "b c h w"], layer: str | None, *, cut: bool = True) -> Iterator[Capture]:
    """Hold the layer's activation while the network runs on images of this size; look at `found` after the run.

    Raises:
        SettingsError: The network has no such module; the message lists layers there are.
    """
    seen = Capture((images.shape[2], images.shape[3]), layer, cut)
    modules = dict(named_network(model).named_modules(remove_duplicate=False))
    if layer is not None and (layer == "" or layer not in modules):
        raise _no_such_layer(model, images, layer, "is no module of the network")
    with ExitStack() as stack:
        stack.enter_context(_hooks_called(model))
        watched = named_network(model).named_modules() if layer is None else [(layer, modules[layer])]
        for name, module in watched:
            if name == "":
                continue
            if any(word in type(module).__name__.lower() for word in ATTENTION):
                stack.callback(module.register_forward_pre_hook(lambda *_: seen.mark()).remove)
            hook = module.register_forward_hook(lambda _, __, output, name=name: seen.see(name, output))
            stack.callback(hook.remove)
        yield seen


@contextmanager
def intervention(model: Model, site: Site, change: Callable[[Tensor], None]) -> Iterator[None]:
    """While the network runs, `change` overwrites a copy of the activation at the site, given on its grid. One run a block."""
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

    with _hooks_called(model):
        handle = named_network(model).get_submodule(site.name).register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def spatial_layers(model: Model, images: Float[Tensor, "b c h w"]) -> dict[str, tuple[int, int, int]]:
    """Layers with a grid, by name in order of execution: channels, height and width. The network runs on the first image."""
    with torch.inference_mode(), model.running(), capture(model, images, None) as seen:
        model.outputs(images[:1].clone())
    return seen.shapes


def default_layer(model: Model, images: Float[Tensor, "b c h w"]) -> str:
    """The layer that is chosen where none is named. The network runs on the first image.

    Raises:
        ModelError: No layer has a grid.
    """
    with torch.inference_mode(), model.running(), capture(model, images, None) as seen:
        model.outputs(images[:1].clone())
    return found_in(seen, model, images)[0].name


def found_in(seen: Capture, model: Model, images: Float[Tensor, "b c h w"]) -> tuple[Site, Tensor]:
    """The activation captured in a run.

    Raises:
        SettingsError: The layer named did not run, or has no grid.
        ModelError: No layer has one.
    """
    if seen.found is not None:
        return seen.found
    if seen.layer is None:
        raise ModelError(
            f"{model.name}: expected a layer with more than one position, [b, c, h, w], [b, h, w, c] or [b, n, c], got none; "
            "activation maps need a network of modules that keeps places apart: use a gradient method"
        )
    why = "has no output of more than one position" if seen.calls else "does not run"
    raise _no_such_layer(model, images, seen.layer, why)


def grid_of(activation: Tensor, space: tuple[int, int]) -> Grid | None:
    """How an activation of images of that height and width is read; None if it has no more than one position."""
    shape = tuple(activation.shape)
    if not activation.is_floating_point() or 0 in shape:
        return None
    if len(shape) == 4:
        last = not _alike(shape[2:], space) and _alike(shape[1:3], space)
        h, w = shape[1:3] if last else shape[2:]
        return Grid("channels last" if last else "channels first", h, w) if h * w > 1 else None
    if len(shape) != 3:
        return None
    fitting = [
        (abs(h * space[1] - n // h * space[0]), leading, h, n // h)
        for leading in LEADING
        for n in [shape[1] - leading]
        for h in range(1, n + 1)
        if n > 1 and n % h == 0 and _alike((h, n // h), space)
    ]
    if not fitting:
        return None
    _, leading, h, w = min(fitting)
    return Grid("tokens", h, w, leading)


def _alike(grid: tuple[int, ...], space: tuple[int, int]) -> bool:
    """Whether height : width is the image's, but for rounding to whole cells."""
    (h, w), (height, width) = grid, space
    return abs(h * width - w * height) < max(height, width)


def named_network(model: Model) -> nn.Module:
    """The modules that compute the rows, under the names they have in the caller's module."""
    network: nn.Module = model.module if model.engine is None else getattr(model.engine, "module", model.engine)
    return network.get_submodule("_orig_mod") if _compiled(network) else network


def _compiled(network: nn.Module) -> bool:
    return "_orig_mod" in dict(network.named_children())


def _hooks_called(model: Model) -> AbstractContextManager[object]:
    """Compiled code does not call hooks that came later, so it runs as it was written meanwhile."""
    return torch.compiler.set_stance("force_eager") if is_compiled(model) else nullcontext()


def is_compiled(model: Model) -> bool:
    """Whether the rows are computed by compiled code, at least in part."""
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
