"""The same network with other weights in some of its blocks.

    own               what the module starts training from (`reset_parameters`); modules without it as truncated_normal
    truncated_normal  mean and deviation of the tensor's own values, drawn again beyond two deviations
    permutation       the tensor's own values in another order

The caller's network is never touched: the weights are changed in a copy, so that there is nothing to restore after an error, an
interruption or a killed process. A module's new weights come from (seed, its name) alone: randomising two blocks at once or one
after the other gives the same network, and layers of one shape do not get one set of weights.

Blocks are ordered by when the network first enters them, not by where they are written. A block is what shares the longest prefix
of names that leaves at most so many blocks, or several of those with the shortest; a module that runs without being called (the
projection inside an attention) belongs to the module around it.
"""

import copy
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.core.seeds import derive, seed_of
from heatproof.models.loaders.construction import seeded
from heatproof.models.model import Model

Weights = Literal["own", "truncated_normal", "permutation"]
Statistics = Literal["reset", "keep"]
_DEVIATIONS = 2.0

_orders: "weakref.WeakKeyDictionary[nn.Module, dict[str, str]]" = weakref.WeakKeyDictionary()
"""What ran when, of networks seen: it does not change with the weights."""


@dataclass(frozen=True)
class Block:
    """Modules whose weights are replaced together.

    name      what their names have in common; with a number where another block has the same.
    modules   names of the modules that hold the weights, in order of execution; "" is the network itself.
    kept      tensors of theirs that are no weights, so that they stay: constants and tables of positions.
    """

    name: str
    modules: tuple[str, ...]
    kept: tuple[str, ...] = ()


def blocks(model: Model, images: Float[Tensor, "b c *space"], most: int = 20) -> list[Block]:
    """The network's blocks, from input to output. The first time, one row runs through the plain network.

    Raises:
        ModelError: There are no weights.
    """
    if model.module not in _orders:
        _orders[model.module] = _owners(model, images[:1])
    owners = _orders[model.module]
    if not owners:
        raise ModelError(f"{model.name}: expected a network with weights, got none; there is nothing to randomise")
    deepest = max(within.count(".") + 1 for within in owners.values())
    groupings = [_grouped(owners, depth) for depth in range(1, deepest + 1)]
    chosen = next((found for found in reversed(groupings) if len(found) <= most), None) or _joined(groupings[0], most)
    modules = dict(model.module.named_modules())
    met: Counter[str] = Counter()
    found = []
    for name, names in chosen:
        met[name] += 1
        unique = f"{name} ({met[name]})" if met[name] > 1 else name
        found.append(Block(unique, tuple(names), tuple(_constants(modules, names))))
    return found


def randomised(
    model: Model, chosen: Iterable[Block], weights: Weights = "own", statistics: Statistics = "reset", *, seed: int = 0
) -> Model:
    """A copy with new weights in the chosen blocks, computed plainly.

    statistics  running means and variances of batch normalisations: reset to 0 and 1, or kept as trained.

    Raises:
        ModelError: The network cannot be copied.
    """
    try:
        module = copy.deepcopy(model.module)
    except (TypeError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{model.name}: expected a network that copy.deepcopy can copy; it says: {error}") from error
    found = dict(module.named_modules())
    for name in (name for block in chosen for name in block.modules):
        _redraw(found[name], weights, statistics, (seed, name))
    return model.with_(module=module, engine=None, plan="plain")


def _owners(model: Model, image: Tensor) -> dict[str, str]:
    """Modules that hold weights, as they first run; of each, the module that was called: itself, or what is around it."""
    names = {id(module): name for name, module in model.module.named_modules()}
    order: dict[str, int] = {}

    def enter(module: nn.Module, _: Any) -> None:
        order.setdefault(names[id(module)], len(order))

    hooks = [module.register_forward_pre_hook(enter) for module in model.module.modules()]
    try:
        with torch.inference_mode(), model.running():
            model.module(image.clone())
    finally:
        for hook in hooks:
            hook.remove()

    def called(name: str) -> str:
        return name if name in order or not name else called(name.rpartition(".")[0])

    found = {name: called(name) for name, module in model.module.named_modules() if _weights(module)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[1], 0)))


def _grouped(owners: Mapping[str, str], depth: int) -> list[tuple[str, list[str]]]:
    return [(name, list(found)) for name, found in groupby(owners, key=lambda owner: ".".join(owners[owner].split(".")[:depth]))]


def _joined(groups: list[tuple[str, list[str]]], most: int) -> list[tuple[str, list[str]]]:
    """Neighbours, as evenly as can be."""
    edges = [i * len(groups) // most for i in range(most + 1)]
    parts = [groups[a:b] for a, b in pairwise(edges)]
    named = [(f"{part[0][0]} … {part[-1][0]}" if part[1:] else part[0][0], part) for part in parts]
    return [(name, [owner for _, owners in part for owner in owners]) for name, part in named]


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module itself that training changed."""
    own = {name: p for name, p in module._parameters.items() if p is not None}
    return own | {name: b for name, b in module._buffers.items() if b is not None and name in _STATISTICS}


_STATISTICS: Mapping[str, Callable[[Tensor], Tensor]] = {"running_mean": torch.zeros_like, "running_var": torch.ones_like}


def _constants(modules: Mapping[str, nn.Module], names: Iterable[str]) -> list[str]:
    found = ((name, key, b) for name in names for key, b in modules[name]._buffers.items() if b is not None)
    return [f"{name}.{key}" for name, key, b in found if key not in (*_STATISTICS, "num_batches_tracked")]


def _redraw(module: nn.Module, weights: Weights, statistics: Statistics, name: tuple[Any, ...]) -> None:
    with torch.no_grad():
        if weights == "own" and _start(module) is not None:
            fresh = _started(module, seed_of(derive(*name)))
        else:
            fresh = {key: _drawn(p, weights, seed_of(derive(*name, key))) for key, p in module._parameters.items() if p is not None}
        if statistics == "reset":
            fresh |= {key: start(b) for key, start in _STATISTICS.items() if (b := module._buffers.get(key)) is not None}
        now = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(recurse=False))
        for key, value in fresh.items():
            now[key].copy_(value)


def _start(module: nn.Module) -> Callable[[], Any] | None:
    return getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)


def _started(module: nn.Module, seed: int) -> dict[str, Tensor]:
    """What the module's initialiser draws, in float32 on the CPU, so that every type and device gets the same."""
    twin = copy.deepcopy(module).to("cpu", torch.float32)
    start = _start(twin)
    with seeded(seed):
        if start is not None:
            start()
    return dict(twin.named_parameters(remove_duplicate=False))


def _drawn(values: Tensor, weights: Weights, seed: int) -> Tensor:
    """On the CPU in float64, so that every type and device gets the same."""
    generator = torch.Generator().manual_seed(seed)
    if weights == "permutation":
        order = torch.randperm(values.numel(), generator=generator).to(values.device)
        return values.flatten()[order].view_as(values)
    own = values.double()
    noise = torch.empty(values.shape, dtype=torch.float64)
    nn.init.trunc_normal_(noise, a=-_DEVIATIONS, b=_DEVIATIONS, generator=generator)
    spread = own.std(unbiased=False)
    return (own.mean() + noise.to(values.device) * spread).to(values.dtype)
