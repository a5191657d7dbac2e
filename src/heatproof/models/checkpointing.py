"""Activation checkpointing inside a network (`torch.utils.checkpoint`), which saves memory by running segments again in backward.

Networks keep it on after training, also in evaluation mode (timm's `set_grad_checkpointing`). It changes no value, but it hides a
segment in two ways. The reentrant kind runs a segment without a graph, and raises an error where gradients of an input are
requested. Both kinds run a segment again in the backward pass, where what was recorded or intercepted in the forward pass is not
there.

    by default         the reentrant kind becomes the other kind, which allows gradients of an input and saves the same memory
    `whole_graph()`    segments run as if they were not checkpointed, for hooks and tracers, at the cost of the memory

torch has no switch for this, so two names of `torch.utils.checkpoint` are exchanged while a network runs, and restored afterwards.
Other threads meanwhile find the functions that they would have found.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from torch.utils import checkpoint as torch_checkpoint

GENERATORS = ("_checkpoint_without_reentrant_generator_impl", "_checkpoint_without_reentrant_generator")
"""The names of the generator that wraps a segment of the kind that is not reentrant, in present and earlier torch."""

_running: ContextVar[bool] = ContextVar("a network is running", default=False)
_whole: ContextVar[bool] = ContextVar("checkpointed segments run plainly", default=False)
_lock = threading.Lock()
_blocks = 0
_originals: dict[str, Any] = {}


@contextmanager
def input_gradients() -> Iterator[None]:
    """A block in which checkpointed networks allow gradients of an input."""
    with ExitStack() as stack:
        stack.enter_context(_exchanged())
        token = _running.set(True)
        stack.callback(_running.reset, token)
        yield


@contextmanager
def whole_graph() -> Iterator[None]:
    """A block in which checkpointed segments run as if they were not checkpointed."""
    with input_gradients():
        token = _whole.set(True)
        try:
            yield
        finally:
            _whole.reset(token)


@contextmanager
def _exchanged() -> Iterator[None]:
    """The functions of torch are exchanged while at least one thread is inside."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks == 1:
            _exchange()
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _restore()


def _exchange() -> None:
    for name in GENERATORS:
        if hasattr(torch_checkpoint, name):
            _originals[name] = getattr(torch_checkpoint, name)
            setattr(torch_checkpoint, name, _plain_if_whole(_originals[name]))
    torch_checkpoint.CheckpointFunction.apply = _not_reentrant


def _restore() -> None:
    for name, original in _originals.items():
        setattr(torch_checkpoint, name, original)
    _originals.clear()
    del torch_checkpoint.CheckpointFunction.apply  # the inherited one is found again


def _plain_if_whole(original: Callable[..., Iterator[None]]) -> Callable[..., Iterator[None]]:
    def segment(*args: Any, **kwargs: Any) -> Iterator[None]:
        """What torch advances once before and once after it runs a segment."""
        if _whole.get():
            yield
        else:
            yield from original(*args, **kwargs)

    return segment


def _not_reentrant(function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
    if not _running.get():
        return super(torch_checkpoint.CheckpointFunction, torch_checkpoint.CheckpointFunction).apply(
            function, preserve_rng_state, *args
        )
    return torch_checkpoint.checkpoint(function, *args, use_reentrant=False, preserve_rng_state=preserve_rng_state)
