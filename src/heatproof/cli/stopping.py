"""What happens when the user, or the machine, stops a command: SIGINT and SIGTERM end it once, in good order and in time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from time import sleep
from types import FrameType

import typer

from heatproof.cli.console import problem

LONGEST = 10.0
"""The seconds after which a command that is stopped ends, whatever it still does. Files are written as a whole or not at all."""


_received: list[int] = []
"""The signal that is to end this command, if there was one."""


def exit_code() -> int:
    """The exit code of a command that was stopped: 128 and the number of the signal.

    The signal is remembered, not read from the exception, since a library may raise another one in its place.
    """
    return 128 + (_received[0] if _received else signal.SIGINT)


def check_stopped() -> None:
    """Stop again: an exception that a signal raises in a callback, or while a library is imported, may be lost there.

    Raises:
        KeyboardInterrupt: a signal came, and the command goes on.
    """
    if _received:
        raise KeyboardInterrupt


@contextmanager
def continued_by_the_same_command() -> Iterator[None]:
    """A block of a command whose finished results are stored, which says so when the user stops it.

    Raises:
        typer.Exit: The command was stopped (exit code 130 or 143).
    """
    try:
        yield
    except KeyboardInterrupt:
        problem("stopped; finished results are stored, and the same command continues from there")
        raise typer.Exit(exit_code()) from None


@contextmanager
def stopping_once() -> Iterator[None]:
    """A block that the first SIGINT or SIGTERM ends with `KeyboardInterrupt`. Further signals are ignored until the process has
    ended, which takes ten seconds at most.
    """
    if current_thread() is not main_thread():
        yield
        return
    _received.clear()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _: FrameType | None) -> None:
        if _received:  # a library has put this handler back, as Ray's start does
            return
        _received.append(number)
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        Thread(target=_end, args=(128 + number,), daemon=True).start()
        raise KeyboardInterrupt

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as of a command that was started with nohup
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in () if _received else before.items():
            signal.signal(number, handler)


def _end(code: int) -> None:
    sleep(LONGEST)
    os._exit(code)
