"""A unit is observed while it is computed: its time, its passes and its peak memory go to the log of the run."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import torch

from heatproof.core.errors import StorageError
from heatproof.evaluation.plan import Unit
from heatproof.passes.counting import count_passes
from heatproof.store.run_log import log_of, utc


@contextmanager
def observed(run: Path, unit: Unit) -> Iterator[None]:
    """A block that computes a unit; the log of the run says when it begins, how it ends, and what it took.

    Where the system cannot reset the peak memory of a process, it is the peak of the process so far.

    Raises:
        StorageError: the log cannot be written.
    """
    log, names = log_of(run), {"unit": unit.key, "method": unit.label, "model": unit.model_name}
    log.write("start", **names, images=len(unit.items), seed=unit.seed)
    start, started, outcome, reason = utc(), time.perf_counter(), "stopped", ""
    _reset_peak()
    with count_passes() as passes:
        try:
            yield
            outcome = "done"
        except Exception as error:
            outcome, reason = "failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            facts = {
                "outcome": outcome,
                "reason": reason,
                "start": start,
                "seconds": round(time.perf_counter() - started, 6),
                "forward": passes.forward,
                "backward": passes.backward,
                "peak_bytes": _peak(),
                "worker": log.process,
            }
            with suppress(StorageError) if outcome != "done" else nullcontext():
                log.write("end", **names, **facts)


def _reset_peak() -> None:
    """Let the peak memory be that of what follows, where the system allows it."""
    if _uses_gpu():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_bytes(b"5")


def _peak() -> int:
    """The most bytes that this process held since the last reset, in memory or on its GPU, whichever are more."""
    device = torch.cuda.max_memory_allocated() if _uses_gpu() else 0
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return max(device, 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1]))
    if sys.platform == "win32":
        return device
    import resource

    return max(device, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def _uses_gpu() -> bool:
    """Whether this process has begun to use a GPU; to ask begins nothing."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch does not annotate it
