"""The start of a process of the local executor. Nothing that is dear to load is imported before the collector is told to wait."""

import os
import signal
from multiprocessing import parent_process
from threading import Thread

from heatproof.core.loading import collect_rarely


def start(workers: int, objects: bytes) -> None:
    """Make this process one of so many that compute units, with the objects that the run was given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    collect_rarely()
    import torch

    from heatproof.core.objects import receive
    from heatproof.passes.memory import keep_freed_memory

    receive(objects)
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    keep_freed_memory()


def _end_with_parent() -> None:
    """End this process when its parent ends, because a parent that is killed cannot stop its workers."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
