"""A copy of a network with new weights in some of its blocks.

    own               the module's own initial weights, by its `reset_parameters`; tensors that it does not set, and those of a
                      module without one, get truncated_normal
    truncated_normal  normal, with the mean and deviation of the tensor's own values, drawn again beyond two deviations
    permutation       the tensor's own values in another order

The caller's network is never touched: the weights are changed in a copy, so that there is nothing to restore after an error, an
interruption or a killed process. An initialiser that leaves tensors as they are (of a layer with weight normalisation, spectral
normalisation or pruning, whose weights are computed from other tensors) is found out by running it on tensors of NaN, and
`unchanged` compares a network with its copy. The singular vectors that a spectral normalisation stores are computed again. The new
weights of a module depend on (seed, name of the module) only: randomising two blocks at
once or one after the other gives the same network, and two layers of the same shape get different weights.

Blocks are ordered by when the network first runs them, not by where they are written in the code. Modules belong to one block if
the first parts of their names agree: as many parts as possible, so that there are at most as many blocks as asked for. If even the
first part alone gives more blocks, neighbours are joined. A module that runs without being called, such as the projection inside
an attention, belongs to the module around it.
"""

import copy
import inspect
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.spectral_norm import SpectralNorm

from heatproof.core.errors import ModelError
from heatproof.core.seeds import derive, seed_of
from heatproof.models.loaders.construction import seeded
from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.tracing.tracer import refuse_scripted

Weights = Literal["own", "truncated_normal", "permutation"]
Statistics = Literal["reset", "keep"]
_DEVIATIONS = 2.0
POWER_ITERATIONS = 30
"""Steps from the old singular vectors to those of the new weights."""

_orders: "weakref.WeakKeyDictionary[nn.Module, dict[str, str]]" = weakref.WeakKeyDictionary()
"""The order of execution of networks that were run before; it does not change with the weights."""


@dataclass(frozen=True)
class Block:
    """Modules whose weights are replaced together.

    Attributes:
        name: The common part of their names, with a number where another block has the same.
        modules: Names of the modules that hold the weights, in the order of execution; "" is the network itself.
        constants: Names of their tensors that are no weights and stay as they are, such as tables of positions.
    """

    name: str
    modules: tuple[str, ...]
    constants: tuple[str, ...] = ()


def check_weights(model: Model) -> None:
    """Check that a network has weights that can be replaced, without running it.

    Raises:
        ModelError: The network has no weights, or is scripted.

    >>> from heatproof.edits.randomise import check_weights
    >>> from heatproof.models.loaders import Toy
    >>> check_weights(Toy(architecture="cnn", width=0.1).load())
    """
    for name, module in model.module.named_modules():
        refuse_scripted(name, module)
    if next(model.module.parameters(), None) is None:
        raise ModelError(f"{model.name}: expected a network with weights, got none; there is nothing to randomise")


def blocks(model: Model, images: Float[Tensor, "b c *space"], most: int = 20) -> list[Block]:
    """The network's blocks, from input to output. Cost: one forward pass for a network that was not run before.

    Args:
        model: The model; the blocks are those of its plain network, also where it has an accelerated copy.
        images: The first of them is run through the network.
        most: The largest number of blocks.

    Raises:
        ModelError: The network has no weights, or is scripted.

    >>> import torch
    >>> from heatproof.edits.randomise import blocks, randomised
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.zeros(1, 1, 28, 28)
    >>> first, *others = blocks(model, images)
    >>> copy = randomised(model, [first], seed=1)
    >>> bool((copy.outputs(images) == model.outputs(images)).all())
    False
    """
    if model.module not in _orders:
        _orders[model.module] = _owners(model, images[:1])
    owners = _orders[model.module]
    if not owners:
        raise ModelError(f"{model.name}: expected a network with weights, got none; there is nothing to randomise")
    deepest = max(within.count(".") + 1 for within in owners.values())
    groupings = [_grouped(owners, depth) for depth in range(1, deepest + 1)]
    chosen = next((grouping for grouping in reversed(groupings) if len(grouping) <= most), None) or _joined(groupings[0], most)
    modules = dict(model.module.named_modules())
    count: Counter[str] = Counter()
    result = []
    for name, names in chosen:
        count[name] += 1
        unique = f"{name} ({count[name]})" if count[name] > 1 else name
        result.append(Block(unique, tuple(names), tuple(_constants(modules, names))))
    return result


def randomised(
    model: Model, chosen: Iterable[Block], weights: Weights = "own", statistics: Statistics = "reset", *, seed: int = 0
) -> Model:
    """A copy of the model with new weights in the chosen blocks, without acceleration.

    Args:
        model: The model.
        chosen: Blocks of the model.
        weights: Where the new weights come from: own, truncated_normal or permutation (see above).
        statistics: Whether the running means and variances of batch normalisations are reset to 0 and 1, or kept as trained.
        seed: Another seed gives other weights.

    Raises:
        ModelError: The network cannot be copied.
    """
    try:
        module = copy.deepcopy(model.module)
    except (TypeError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{model.name}: expected a network that copy.deepcopy can copy; it says: {error}") from error
    modules = dict(module.named_modules())
    for name in (name for block in chosen for name in block.modules):
        _redraw(modules[name], weights, statistics, (seed, name))
    return model.with_(module=module, original=model.original or model.module, engine=None, plan="plain")


class Unchanged(NamedTuple):
    """What randomising left as it was.

    Attributes:
        blocks: Names of the blocks of which no weight changed.
        weights: Names of all weights that did not change.
    """

    blocks: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    def __or__(self, other: "Unchanged") -> "Unchanged":
        return Unchanged(*(tuple(dict.fromkeys(a + b)) for a, b in zip(self, other, strict=True)))

    @property
    def note(self) -> str:
        """A sentence about the blocks of which no weight changed; empty where there is none."""
        named = ", ".join(name or "the network itself" for name in self.blocks)
        return f"the new weights of {named} are the old ones: the map has no reason to change with them" * bool(named)


def unchanged(model: Model, other: Model, chosen: Iterable[Block]) -> Unchanged:
    """The weights of the chosen blocks that are the same in both networks.

    A weight stays as it is where its new value is the old one, such as the ones that a layer norm begins with.

    Args:
        model: The model.
        other: A copy of it with new weights in these blocks.
        chosen: Blocks of the model.

    >>> import torch
    >>> from heatproof.edits.randomise import blocks, randomised, unchanged
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.zeros(1, 1, 28, 28)
    >>> first, second, *others = blocks(model, images)
    >>> unchanged(model, randomised(model, [first], seed=1), [first, second]).blocks == (second.name,)
    True
    """
    before, after = (dict(each.module.named_modules()) for each in (model, other))
    found = Unchanged()
    for block in chosen:
        same = {
            f"{name}.{key}".lstrip("."): torch.equal(value, _weights(after[name])[key])
            for name in block.modules
            for key, value in _weights(before[name]).items()
        }
        found |= Unchanged((block.name,) * all(same.values()), tuple(name for name, equal in same.items() if equal))
    return found


def _owners(model: Model, image: Tensor) -> dict[str, str]:
    """The modules with weights in the order of their first runs → the module that was called for it: itself, or one around it."""
    names = {id(module): name for name, module in model.module.named_modules()}
    for name, module in model.module.named_modules():
        refuse_scripted(name, module)
    order: dict[str, int] = {}

    def enter(module: nn.Module, _: Any) -> None:
        order.setdefault(names[id(module)], len(order))

    hooks = [module.register_forward_pre_hook(enter) for module in model.module.modules()]
    try:
        with no_gradients(), model.running():
            model.module(image.clone())
    finally:
        for hook in hooks:
            hook.remove()

    def called(name: str) -> str:
        return name if name in order or not name else called(name.rpartition(".")[0])

    owners = {name: called(name) for name, module in model.module.named_modules() if _weights(module)}
    return dict(sorted(owners.items(), key=lambda item: order.get(item[1], 0)))


def _grouped(owners: Mapping[str, str], depth: int) -> list[tuple[str, list[str]]]:
    """Neighbours whose names agree in the first `depth` parts: the common part of the names, and the modules."""
    return [(name, list(group)) for name, group in groupby(owners, key=lambda owner: ".".join(owners[owner].split(".")[:depth]))]


def _joined(groups: list[tuple[str, list[str]]], most: int) -> list[tuple[str, list[str]]]:
    """Neighbouring groups joined into at most so many, as evenly as possible."""
    edges = [i * len(groups) // most for i in range(most + 1)]
    parts = [groups[a:b] for a, b in pairwise(edges)]
    named = [(f"{part[0][0]} … {part[-1][0]}" if part[1:] else part[0][0], part) for part in parts]
    return [(name, [owner for _, owners in part for owner in owners]) for name, part in named]


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module itself, without its children, that training changes."""
    own = {name: p for name, p in module._parameters.items() if p is not None}
    return own | {name: b for name, b in module._buffers.items() if b is not None and name in _STATISTICS}


_STATISTICS: Mapping[str, Callable[[Tensor], Tensor]] = {"running_mean": torch.zeros_like, "running_var": torch.ones_like}


def _constants(modules: Mapping[str, nn.Module], names: Iterable[str]) -> list[str]:
    """Names of the buffers that are no running statistics."""
    buffers = ((name, key) for name in names for key, b in modules[name]._buffers.items() if b is not None)
    return [f"{name}.{key}" for name, key in buffers if key not in (*_STATISTICS, "num_batches_tracked")]


def _redraw(module: nn.Module, weights: Weights, statistics: Statistics, name: tuple[Any, ...]) -> None:
    with torch.no_grad():
        fresh = _initialised(module, seed_of(derive(*name))) if weights == "own" else {}
        drawn = {key: p for key, p in module._parameters.items() if p is not None and key not in fresh}
        fresh |= {key: _drawn(p, weights, seed_of(derive(*name, key))) for key, p in drawn.items()}
        if statistics == "reset":
            fresh |= {key: start(b) for key, start in _STATISTICS.items() if (b := module._buffers.get(key)) is not None}
        now = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(recurse=False))
        for key, value in fresh.items():
            now[key].copy_(value)
        _renew_singular_vectors(module)


def _initialised(module: nn.Module, seed: int) -> dict[str, Tensor]:
    """The weights that the module's initialiser draws, in float32 on the CPU, so that every type and device gets the same.

    Tensors that it does not set are left out: they are the ones that still hold NaN afterwards.
    """
    twin = copy.deepcopy(module).to("cpu", torch.float32)
    initialise = getattr(twin, "reset_parameters", None) or getattr(twin, "_reset_parameters", None)
    if initialise is None or not _callable_without_arguments(initialise):
        return {}
    for p in twin.parameters():
        p.fill_(torch.nan)
    with seeded(seed):
        initialise()
    return {key: p for key, p in twin.named_parameters(remove_duplicate=False) if not bool(p.isnan().any())}


def _callable_without_arguments(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    return True


def _renew_singular_vectors(module: nn.Module) -> None:
    """Compute what a spectral normalisation stores about its weights; it does so in training mode only, one step per call."""
    hooks = [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, SpectralNorm)]
    parametrised = isinstance(module, ParametrizationList) and any(isinstance(child, _SpectralNorm) for child in module)
    for _ in range(POWER_ITERATIONS):
        for hook in hooks:
            hook.compute_weight(module, do_power_iteration=True)
        if parametrised:
            module.train()()
    if parametrised:
        module.eval()


def _drawn(values: Tensor, weights: Weights, seed: int) -> Tensor:
    """New values of one tensor, drawn on the CPU in float64, so that every type and device gets the same."""
    generator = torch.Generator().manual_seed(seed)
    if weights == "permutation":
        order = torch.randperm(values.numel(), generator=generator).to(values.device)
        return values.flatten()[order].view_as(values)
    own = values.double()
    noise = torch.empty(values.shape, dtype=torch.float64)
    nn.init.trunc_normal_(noise, a=-_DEVIATIONS, b=_DEVIATIONS, generator=generator)
    spread = own.std(unbiased=False)
    return (own.mean() + noise.to(values.device) * spread).to(values.dtype)
