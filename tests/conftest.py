"""Set-up for every test: shapes are checked, chance is fixed, one thread, no network."""

import atexit
import gc
import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jaxtyping import install_import_hook

import tests.support.checking  # noqa: F401 - the hook names it

gc.disable()  # until all tests are collected: nothing of that is garbage, and to look through it again and again takes seconds

SHAPED = [
    "numerics",
    "perturb",
    "models",
    "tracing",
    "training",
    "relevance",
    "partial",
    "edits",
    "passes",
    "methods",
    "metrics",
    "attacks",
]
install_import_hook([f"heatproof.{name}" for name in SHAPED], "tests.support.checking.checked")  # before anything imports heatproof

import numpy as np  # noqa: E402 - the hook above must come first
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")

torch.set_num_threads(1)

if "MPLCONFIGDIR" not in os.environ:  # matplotlib lists all fonts once, not in each worker and each process that a test starts
    os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="matplotlib-")
    atexit.register(shutil.rmtree, os.environ["MPLCONFIGDIR"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests and the files that one process runs start first, so that at the end no process waits for another one."""
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("slow", "one_process"))))


def pytest_collection_finish() -> None:
    """What was collected stays: the collector need not look at it any more."""
    gc.freeze()
    gc.enable()


class ByFunction(LoadScopeScheduling):
    """All cases of a test function are one piece of work, since the time that xdist takes to hand pieces out grows with the square
    of their number; so are all tests of a file that is marked `one_process`, which share something that is dear to make.

    The mark is read from the file, since the process that hands out collects no tests. (xdist's own mark for groups goes by a part
    of pytest's node ids that pytest 9.2 does not have.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _is_one_piece(self.config.rootpath / file) else nodeid.partition("[")[0]


@cache
def _is_one_piece(file: Path) -> bool:
    return "pytest.mark.one_process" in file.read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFunction:
    config.option.loadscopereorder = False  # the order is that of the collection, and not of the number of cases
    return ByFunction(config, log)


LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    """A test draws the same random numbers whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.default_generator.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered between runs on this machine is not the user's, here and in processes that tests start; the workers of
    xdist share it, so that a network is trained once for all.
    """
    own = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A connection that leaves this machine fails the test that asks for it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
            raise RuntimeError(f"tests reach no network, got a connection to {address}; use packaged or made-up data")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield
