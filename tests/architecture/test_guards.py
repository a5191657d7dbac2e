"""The guards of the test suite work: no network, checked shapes, one thread."""

import random
import socket

import pytest
import torch
from jaxtyping import TypeCheckError

from heatproof.numerics.similarity import pearson
from heatproof.numerics.total_variation import average_total_variation


def test_no_connection_leaves_this_machine() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="tests reach no network"):
        client.connect(("192.0.2.1", 80))


def test_connections_within_this_machine_are_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as client:
        assert client.getpeername() == server.getsockname()


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        average_total_variation(torch.zeros(4))
    with pytest.raises(TypeCheckError):
        pearson(torch.zeros(2, 4), torch.zeros(3, 4))


def test_checking_shapes_draws_no_random_number() -> None:
    before = random.getstate()
    pearson(torch.zeros(2, 4), torch.ones(2, 4))
    assert random.getstate() == before


def test_one_thread_is_used() -> None:
    assert torch.get_num_threads() == 1
