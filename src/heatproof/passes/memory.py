"""How many rows pass through a network at once: as many as their memory allows.

The first row of a network, shape and kind of pass goes alone and is weighed: every operation's new storage is added to what is
alive, and taken off when it dies. What lives at the peak, times `MARGIN` for the scratch space of kernels, which is not seen, is a
row's size, and rows at once = memory / size. If memory runs out all the same, the chunk is halved and computed again. Sizes found
are remembered for as long as the module lives. The row that is weighed is work that was asked for: no row is added.
"""

import ctypes
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from heatproof.core.errors import ModelError
from heatproof.models.model import Model

MARGIN = 1.25
"""Bytes taken over bytes seen. Measured: 1.03 to 1.1 on networks of torchvision, 1.4 on a single convolution of a large image."""
MOST_ROWS = 1024
"""More at once have brought nothing on any network."""
ENOUGH_ROWS, ENOUGH_BYTES = 16, 2**27
"""On a CPU more rows at once than these are no faster, unless they are so small that more fit into these bytes."""
SHARE = 0.25
"""Of the free memory, unless the model says how much."""

Kind = str
"""What rows are for: `forward`, `gradient`, or another name for rows that take memory of their own."""
T = TypeVar("T")

_fitting: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], int]]" = weakref.WeakKeyDictionary()


def in_chunks(model: Model, like: Tensor, n: int, compute: Callable[[range], T], kind: Kind) -> Iterator[tuple[range, T]]:
    """`compute(rows)` for consecutive ranges that cover 0 … n−1, each as large as fits.

    Args:
        model: the network that the rows pass through; its `chunk` and `memory` are limits.
        like: rows shaped as those that pass.
        n: how many rows.
        compute: called again for half of the rows if memory runs out; it must leave nothing behind when it fails.
        kind: whether memory is needed for the backward pass as well.

    Raises:
        ModelError: Not even one row fits.
    """
    start = 0
    while start < n:
        size = rows_at_once(model, like, kind)
        rows = range(start, min(start + (size or 1), n))
        try:
            if size is None:
                found, peak = weighed(partial(compute, rows))
                _known(model).setdefault(_key(like, kind), _fit(model, like, peak))
            else:
                found = compute(rows)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            failure = _memory_failure(error)
            if failure is None:
                raise
        else:
            yield rows, found
            start = rows.stop
            del found
            continue
        _halve(model, like, kind, len(rows), failure)  # the exception is gone here, and with it what its frames kept alive


def rows_at_once(model: Model, like: Tensor, kind: Kind) -> int | None:
    """Rows of a chunk: the model's own number, or what was found to fit; None before the first row was weighed."""
    known = _known(model).get(_key(like, kind))
    if model.chunk is None:
        return known
    return model.chunk if known is None else min(model.chunk, known)


def fitting_rows(model: Model, like: Tensor, compute: Callable[[range], object], kind: Kind) -> int:
    """Rows of a chunk, found by computing the first row if need be."""
    next(in_chunks(model, like, 1 if rows_at_once(model, like, kind) is None else 0, compute, kind), None)
    return rows_at_once(model, like, kind) or 1


def fitting_copies(model: Model, images: Tensor) -> int:
    """Copies of an image that fit into the model's memory, beside a chunk of as much."""
    return max(2, int(memory_of(model, images) / images[:1].nbytes))


def weighed(work: Callable[[], T]) -> tuple[T, int]:
    """The work's result, and the largest number of bytes in storages it made that were alive at once."""
    scale = _Scale()
    with scale:
        found = work()
    return found, scale.peak


def free_memory(device: torch.device) -> int:
    """Bytes that may still be taken on the device; of a CPU, also as the control group allows."""
    if device.type != "cpu":
        module = torch.get_device_module(device)
        return int(module.mem_get_info(device)[0]) if hasattr(module, "mem_get_info") else 4 * 2**30
    free, group = int(psutil.virtual_memory().available), Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):  # no control group, or one without a limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(free, 0)


def keep_freed_memory() -> None:
    """Let glibc keep what torch frees, for the rest of this process: activations of one size come and go with every chunk, and
    handing their pages back took up to half of a pass (measured on EfficientNet-Lite0: 17.7 against 9.7 ms a gradient row).
    Elsewhere this does nothing. The process stays as large as it once was, so libraries should not call it: programs do.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mmap_max, trim_threshold = -4, -1
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


class _Scale(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not annotate it
    """Adds up the storages that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.live = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for storage in _storages((args, kwargs)):
            self._note(storage, 0)  # made before the weighing began, or seen already
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            self._note(storage, storage.nbytes())
        self.peak = max(self.peak, self.live)
        return result

    def _note(self, storage: torch.UntypedStorage, size: int) -> None:
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self.live += size
            weakref.finalize(storage, self._gone, storage._cdata, size).atexit = False

    def _gone(self, identity: int, size: int) -> None:
        self._seen.discard(identity)
        self.live -= size


def _storages(nested: Any) -> list[torch.UntypedStorage]:
    tensors = [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor) and leaf.layout is torch.strided]
    return [tensor.untyped_storage() for tensor in tensors]


def _known(model: Model) -> dict[tuple[Any, ...], int]:
    return _fitting.setdefault(model.engine or model.module, {})


def _key(like: Tensor, kind: Kind) -> tuple[Any, ...]:
    return (kind, like.shape[1:], like.dtype, like.device)


def _fit(model: Model, like: Tensor, peak: int) -> int:
    size = MARGIN * max(peak, 1)
    enough = max(ENOUGH_ROWS, int(ENOUGH_BYTES / size)) if like.device.type == "cpu" else MOST_ROWS
    return max(1, min(MOST_ROWS, enough, int(memory_of(model, like) / size)))


def memory_of(model: Model, like: Tensor) -> float:
    """Bytes that the model's rows may take where these are."""
    return SHARE * free_memory(like.device) if model.memory is None else model.memory


def _memory_failure(error: Exception) -> str | None:
    """What was said when memory ran out; None for another failure."""
    text = str(error) or type(error).__name__
    return text if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text else None


def _halve(model: Model, like: Tensor, kind: Kind, rows: int, failure: str) -> None:
    if rows == 1:
        shape, reason = list(like.shape[1:]), failure.splitlines()[0]
        raise ModelError(
            f"{model.name}: expected memory for one {kind} row of {shape}, got {reason}; use a smaller image, or another device"
        )
    _known(model)[_key(like, kind)] = rows // 2
    if like.device.type != "cpu":
        torch.get_device_module(like.device).empty_cache()
