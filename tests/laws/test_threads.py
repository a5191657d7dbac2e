"""Calls of one network from several threads: each gives its map, and the network is left as it was."""

from threading import Event, Thread, current_thread

import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import DeepLift, Gradient, Method
from tests.support.state import state_of
from tests.zoo import ZOO
from tests.zoo.network import Step, dense, table

WAIT = 0.2
"""Seconds that a pass of the first thread waits for one of the second, which does not come where threads take turns."""


@pytest.mark.parametrize("method", [Gradient(), DeepLift()], ids=lambda method: method.name)
def test_threads_take_turns_on_a_network(method: Method) -> None:
    first_is_done, second_runs, maps = Event(), Event(), {}

    def meet(z: Tensor) -> Tensor:
        """The second thread is in the middle of the network when the first one leaves it."""
        if current_thread() is thread:
            second_runs.set()
            first_is_done.wait(10)
        return z

    def call() -> None:
        maps["second"] = method.attribute(model, table(), 1).values

    thread = Thread(target=call)
    network = nn.Sequential(dense(), nn.Dropout(0.5), Step(meet)).train()
    model, before = ZOO["frozen"].model(network), state_of(network)
    alone = method.attribute(model, table(), 1).values

    def start(_: nn.Module, __: object) -> None:
        if not thread.ident:
            thread.start()
            second_runs.wait(WAIT)

    handle = network[0].register_forward_pre_hook(start)
    first = method.attribute(model, table(), 1).values
    first_is_done.set()
    thread.join()
    handle.remove()
    assert torch.equal(first, alone)
    assert torch.equal(maps["second"], alone)
    assert state_of(network) == before
