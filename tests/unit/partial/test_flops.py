"""The counter of floating-point operations counts what torch's own counts."""

from contextlib import nullcontext

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from heatproof.partial.flops import FlopCount
from tests.zoo import ZOO

WITH_EACH_KIND = ("in place", "encoder layer", "class token", "gru of pictures")
"""Convolutions, products, attention and recurrence."""


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad], ids=lambda mode: mode.__name__)
@pytest.mark.parametrize("name", WITH_EACH_KIND)
def test_the_operations_of_a_network_are_those_that_torch_counts(name, mode):
    module, rows, peer = ZOO[name].module(), ZOO[name].rows(), FlopCounterMode(display=False)
    peer.mod_tracker = nullcontext()  # torch's hooks modules, which is beside the point
    peer.mod_tracker.parents = frozenset({"Global"})
    with mode():
        with peer:
            module(rows.clone())
        with FlopCount() as ours:
            module(rows.clone())
    assert ours.flops == peer.get_total_flops() > 0
