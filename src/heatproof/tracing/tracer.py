"""A running network, met at every call of torch that a followed tensor goes into. Backward rules and local changes stand on this.

Nothing is hooked, replaced or registered on the module. In place becomes out of place: what is made in place of a tensor stands for
it from then on, wherever the network meets it again.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError


class Tracer(TorchFunctionMode):
    """A subclass says which tensors are followed, and what happens where one is met."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        refuse_what_hides(module)
        self.module = module
        self._now: Any = WeakIdKeyDictionary()

    @abstractmethod
    def follows(self, tensor: Tensor) -> bool:
        """Whether calls with this tensor are met."""

    @abstractmethod
    def meet(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], followed: Sequence[Tensor]) -> Any:
        """What a call answers."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        args, kwargs = tuple(mapped(self._current, args)), mapped(self._current, kwargs or {})
        followed = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor) and self.follows(leaf)]
        return self.meet(func, args, kwargs, followed) if followed else func(*args, **kwargs)

    def stands_for(self, old: Tensor, new: Tensor) -> Tensor:
        """From now on, `new` is what the network means by `old`, which it believes it has changed in place."""
        self._now[old] = new
        return new

    def _current(self, leaf: Any) -> Any:
        while isinstance(leaf, Tensor) and leaf in self._now:
            leaf = self._now[leaf]
        return leaf


def leaves(nested: Any) -> list[Any]:
    """What a nest of arguments holds, in order: as `tree_leaves`, at a tenth of the time where nothing is unusual."""
    kind = type(nested)
    if kind is tuple or kind is list:
        return [leaf for each in nested for leaf in (leaves(each) if isinstance(each, tuple | list | dict) else (each,))]
    if kind is dict:
        return leaves(list(nested.values()))
    return tree_leaves(nested)


def mapped(function: Callable[[Any], Any], nested: Any) -> Any:
    """The nest with every leaf replaced: as `tree_map`."""
    kind = type(nested)
    if kind is tuple or kind is list:
        return kind(mapped(function, each) for each in nested)
    if kind is dict:
        return {name: mapped(function, each) for name, each in nested.items()}
    return tree_map(function, nested) if isinstance(nested, tuple | list | dict) else function(nested)


def refuse_what_hides(module: nn.Module) -> None:
    """Raise for modules whose operations cannot be seen."""
    hidden = (torch.jit.ScriptModule, nn.DataParallel, nn.parallel.DistributedDataParallel)
    for name, child in module.named_modules():
        if isinstance(child, hidden):
            remedy = "use the module that was scripted" if isinstance(child, torch.jit.ScriptModule) else "use its .module"
            path, kind = name or type(module).__name__, type(child).__name__
            raise ModelError(f"{path}: expected modules whose operations can be seen, got {kind}; {remedy}")
