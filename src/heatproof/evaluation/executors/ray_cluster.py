"""The Ray cluster that a run uses: one that is there already, by its address, or one of this machine alone that is started for it.

A cluster of this machine listens on the loopback address only and asks every connection for a token, which stays in the memory of
its processes; it has no dashboard and sends no statistics. It stays until this process ends, since starting one takes about ten
seconds, and serves all runs until then; `ray.shutdown()` ends it sooner.
"""

import importlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from types import ModuleType
from typing import Any

from heatproof.core.errors import UsageError
from heatproof.models.loaders.source_files import is_installed

COMMAND = 'pip install "heatproof[ray]"'
STARTS = 3
"""How often a cluster of this machine is started before it is given up, as is each process that dies as it starts. Ray gives a
cluster half a minute, and a busy machine takes longer."""
ANSWERS_WITHIN = 20.0
"""The seconds within which the machine of a cluster must take a connection and answer."""
_FRAME, _SETTINGS = 9, b"\x04"
"""The bytes of the head of an HTTP/2 frame, and the type, its fourth byte, of the frame with which either side begins."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5
"""How a client of HTTP/2 begins (RFC 9113, section 3.4): the preface, and a frame of no settings."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # leaves out every line that would be printed about processes that died
}


def check_installed() -> None:
    """Check that Ray can be imported, without importing it.

    Raises:
        UsageError: Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(f'executor="ray": expected the package ray, which is not installed; run: {COMMAND}')


def connect(address: str | None, processors: int) -> ModuleType:
    """The module `ray`, connected to a cluster. A process that is connected already stays so.

    Args:
        address: the address of a cluster, such as `auto` or `10.0.0.1:6379`; None for that of RAY_ADDRESS, or else for one of
            this machine alone.
        processors: the processors that a cluster of this machine offers.

    Raises:
        UsageError: there is no such cluster, or it cannot be joined.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    with _variables(_QUIET) if address else alone(), _own_signal_handlers():
        ray = importlib.import_module("ray")
        if ray.is_initialized():
            return ray
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        if address:
            options |= {"address": address, "runtime_env": {"py_modules": own_modules()}}
        else:
            options |= {"address": "local", "num_cpus": processors, "include_dashboard": False}
        try:
            if address:
                _check_answers(address)
            _start(ray, options, 1 if address else STARTS)
        except Exception as error:  # of Ray's own, of gRPC, of the system
            where = f"a Ray cluster at {address}" if address else "a Ray cluster of this machine"
            reason = " ".join(str(error).split())
            raise UsageError(
                f'executor="ray": expected {where} that can be used, got {type(error).__name__}: {reason:.300}; see `ray status` '
                'there, give another --address, or use executor="local"'
            ) from error
    return ray


def _check_answers(address: str) -> None:
    """Check that a machine listens at `host:port` and speaks HTTP/2, as Ray does, since Ray tries for minutes. `auto` is looked up
    by Ray at once; a cluster with certificates of its own (RAY_USE_TLS) is asked for the connection alone.

    Raises:
        OSError: none does.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    until = time.monotonic() + ANSWERS_WITHIN
    with socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN) as connection:
        if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
            return
        connection.sendall(_HELLO)
        answer = b""
        while len(answer) < _FRAME and (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                read = connection.recv(_FRAME - len(answer))
            except TimeoutError:
                break
            if not read:
                break
            answer += read
    if answer[3:4] != _SETTINGS:
        got = f"the answer {answer!r}" if answer else "no answer"
        raise ConnectionError(f"something listens there and gives {got}, as no Ray cluster does")


def _start(ray: ModuleType, options: Mapping[str, Any], starts: int) -> None:
    try:
        ray.init(**options)
    except Exception:
        ray.shutdown()
        if starts == 1:
            raise
        _start(ray, options, starts - 1)


def own_modules() -> list[str]:
    """The paths of your own modules and packages that this process has imported from the working directory, which other machines
    may lack.
    """
    here, found = Path.cwd(), set()
    for name in [each for each in sys.modules if "." not in each and each != "__main__"]:
        module = sys.modules[name]
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
        path = Path(file).absolute() if file else None
        if path is not None and path.is_relative_to(here) and not is_installed(str(path)):
            found.add(str(path.parent if path.name == "__init__.py" else path))
    return sorted(found)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, a cluster that is started keeps to itself.

    Ray reads these variables when it is imported. If it was imported before, it asks for a token all the same, and listens on the
    address of the machine.
    """
    own = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    if "ray" not in sys.modules:
        own |= {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # the latter chooses the loopback address
    with _variables(_QUIET | own):
        yield


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Inside, the environment has these variables, which the processes of a cluster inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Afterwards, signals are handled as before: `ray.init` replaces the handler of SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
