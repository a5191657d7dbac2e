import signal
import time
from contextlib import suppress

import pytest

from heatproof.cli import stopping
from heatproof.cli.stopping import check_stopped, exit_code, stopping_once


def test_a_signal_whose_exception_is_lost_ends_the_command_at_the_next_look(monkeypatch):
    monkeypatch.setattr(stopping, "_end", lambda code: time.sleep(0))  # which would end this process
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stopping_once():
            check_stopped()
            handler_before = signal.getsignal(signal.SIGTERM)
            with suppress(KeyboardInterrupt):  # as in a callback, or while a library is imported
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)  # a second one changes nothing
            signal.signal(signal.SIGTERM, handler_before)  # as a library does that keeps handlers while it starts
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                check_stopped()
        assert exit_code() == 143, "of the signal, whatever exception arrives"
    finally:
        stopping._received.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
