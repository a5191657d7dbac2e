"""Chunks of passes: as many passes at once as fit in memory.

    chunk size = memory / (MARGIN · peak memory of one pass)

The first pass for a network, an image shape and a kind of pass is run alone to measure its peak memory: the size of every storage
that an operation allocates is added, and subtracted when the storage is freed. MARGIN stands for the scratch memory of kernels,
which is not visible. If memory runs out all the same, the chunk size is halved and the chunk is computed again. Chunk sizes are
remembered for as long as the module lives. The pass that is measured is one of those requested, so that no pass is added.

How many passes are computed at once changes results in their last bits. Where they must not depend on what a process computed
before, as in a run that may be resumed, `chunk_sizes_of` says what is decided already, and the pass that is measured is computed
again with its chunk.
"""

import ctypes
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.passes.counting import uncounted

MARGIN = 1.25
"""The assumed ratio of memory taken to memory measured. The ratio itself was found to be 1.03 to 1.1 on networks of torchvision,
and 1.4 on a single convolution of a large image."""
MOST_ROWS = 1024
"""The largest chunk: more passes at once were not faster on any network."""
ENOUGH_ROWS, ENOUGH_BYTES = 16, 2**27
"""The largest chunk on a CPU, in passes or in bytes, whichever allows more passes: larger chunks are no faster."""
SHARE = 0.25
"""The share of the free memory that passes may take, unless the model sets its memory."""

Kind = str
"""The kind of a pass, `forward`, `gradient` or any other name; a chunk size is measured for each."""
T = TypeVar("T")


@runtime_checkable
class ChunkSizes(Protocol):
    """The numbers of passes that are computed at once, by the kind of the pass and the shape, type and device of its input."""

    def get(self, key: tuple[Any, ...], /) -> int | None:
        """The number; None if it is not decided."""
        ...

    def setdefault(self, key: tuple[Any, ...], size: int, /) -> int:
        """The number, which is decided now if it was not."""
        ...

    def __setitem__(self, key: tuple[Any, ...], size: int, /) -> None:
        """Decide another number, since memory ran out."""
        ...


_elsewhere: ContextVar[Callable[[Model], ChunkSizes] | None] = ContextVar("chunk sizes decided elsewhere", default=None)
_sizes: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], int]]" = weakref.WeakKeyDictionary()


@contextmanager
def chunk_sizes_of(sizes: Callable[[Model], ChunkSizes]) -> Iterator[None]:
    """A block in which chunk sizes are those of `sizes(model)`, so that results do not depend on what was computed before."""
    token = _elsewhere.set(sizes)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def in_chunks(model: Model, like: Tensor, n: int, compute: Callable[[range], T], kind: Kind) -> Iterator[tuple[range, T]]:
    """Compute passes 0 … n − 1 in consecutive chunks, each as large as fits in memory.

    Args:
        model: The network; its `chunk` and `memory` are limits.
        like: A batch whose items have the shape of the inputs.
        n: The number of passes.
        compute: `compute(passes)` gives the result for a range of passes. If memory runs out, it is called again with half of the
            range, so it must not have changed anything when it fails.
        kind: The kind of the passes; passes of one kind take as much memory each.

    Yields:
        The range of passes of each chunk and its result.

    Raises:
        ModelError: Not even one pass fits in memory.
    """
    start = 0
    while start < n:
        size = chunk_size(model, like, kind)
        rows = range(start, min(start + (size or 1), n))
        try:
            if size is None:
                again = _elsewhere.get() is not None
                with uncounted() if again else nullcontext():
                    result, peak = with_peak_memory(partial(compute, rows))
                _chunk_sizes(model).setdefault(_key(like, kind), _fit(model, like, peak))
                if again:
                    del result
                    continue
            else:
                result = compute(rows)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            failure = memory_failure(error)
            if failure is None:
                raise
        else:
            yield rows, result
            start = rows.stop
            del result
            continue
        _halve(model, like, kind, len(rows), failure)  # the exception is gone here, and with it what its frames kept alive


def chunk_size(model: Model, like: Tensor, kind: Kind) -> int | None:
    """The number of passes in a chunk: the model's own `chunk` or the measured number; None before the first pass was measured."""
    measured = _chunk_sizes(model).get(_key(like, kind))
    if model.chunk is None:
        return measured
    return model.chunk if measured is None else min(model.chunk, measured)


def measured_chunk_size(model: Model, like: Tensor, compute: Callable[[range], object], kind: Kind) -> int:
    """The number of passes in a chunk; the first pass is computed if it was not measured yet."""
    next(in_chunks(model, like, 1 if chunk_size(model, like, kind) is None else 0, compute, kind), None)
    return chunk_size(model, like, kind) or 1


def copies_in_memory(model: Model, images: Tensor) -> int:
    """The number of copies of an image that fit in the model's memory, beside a chunk that takes as much; at least 2."""
    return max(2, int(memory_of(model, images) / images[:1].nbytes))


def with_peak_memory(work: Callable[[], T]) -> tuple[T, int]:
    """The result of some work and its peak memory: the most bytes, at any time, in storages that it allocated."""
    peak_memory = _PeakMemory()
    with peak_memory:
        result = work()
    return result, peak_memory.peak


def free_memory(device: torch.device) -> int:
    """The number of free bytes on a device; on a CPU, no more than the process's control group allows."""
    if device.type != "cpu":
        module = torch.get_device_module(device)
        return int(module.mem_get_info(device)[0]) if hasattr(module, "mem_get_info") else 4 * 2**30
    free, group = int(psutil.virtual_memory().available), Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):  # no control group, or one without a limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(free, 0)


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the rest of this process; without glibc, this does nothing.

    Activations of one size are allocated and freed with every chunk, and returning their pages to the operating system took up to
    half of the time of a pass (measured on EfficientNet-Lite0: 17.7 against 9.7 ms for a gradient). The process never shrinks, so
    this is for programs to call, not for libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mmap_max, trim_threshold = -4, -1
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


class _PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not annotate it
    """Adds up the sizes of the storages that operations allocate, for as long as these are alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.live = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for storage in _storages((args, kwargs)):
            self._count(storage, 0)  # allocated before the measurement began, or counted already
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            self._count(storage, storage.nbytes())
        self.peak = max(self.peak, self.live)
        return result

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch imports its compiler to keep it out of this class; that takes more than a second of each process."""
        return False

    def _count(self, storage: torch.UntypedStorage, size: int) -> None:
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self.live += size
            weakref.finalize(storage, self._freed, storage._cdata, size).atexit = False

    def _freed(self, identity: int, size: int) -> None:
        self._seen.discard(identity)
        self.live -= size


def _storages(nested: Any) -> list[torch.UntypedStorage]:
    tensors = [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor) and leaf.layout is torch.strided]
    return [tensor.untyped_storage() for tensor in tensors]


def _chunk_sizes(model: Model) -> ChunkSizes:
    elsewhere = _elsewhere.get()
    if elsewhere is not None:
        return elsewhere(model)
    return _sizes.setdefault(model.engine or model.original or model.module, {})  # an edited copy takes as much as its original


def _key(like: Tensor, kind: Kind) -> tuple[Any, ...]:
    return (kind, like.shape[1:], like.dtype, like.device)


def _fit(model: Model, like: Tensor, peak: int) -> int:
    size = MARGIN * max(peak, 1)
    enough = max(ENOUGH_ROWS, int(ENOUGH_BYTES / size)) if like.device.type == "cpu" else MOST_ROWS
    return max(1, min(MOST_ROWS, enough, int(memory_of(model, like) / size)))


def memory_of(model: Model, like: Tensor) -> float:
    """The number of bytes that the model's passes may take, on the device of `like`."""
    return SHARE * free_memory(like.device) if model.memory is None else model.memory


def memory_failure(error: Exception) -> str | None:
    """The message of an error that says that memory ran out; None for any other error."""
    text = str(error) or type(error).__name__
    return text if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text else None


def too_large(model: Model, like: Tensor, kind: Kind, failure: str) -> ModelError:
    """The error for an image of which one pass does not fit in memory."""
    shape, reason = list(like.shape[1:]), failure.splitlines()[0]
    return ModelError(
        f"{model.name}: expected memory for one {kind} pass of {shape}, got {reason}; use a smaller image, or another device"
    )


def _halve(model: Model, like: Tensor, kind: Kind, rows: int, failure: str) -> None:
    if rows == 1:
        raise too_large(model, like, kind, failure)
    _chunk_sizes(model)[_key(like, kind)] = rows // 2
    if like.device.type != "cpu":
        torch.get_device_module(like.device).empty_cache()
