"""What decides the numbers of a network in memory beside its weights: its code, its plain attributes, its hooks."""

import functools
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.models.loaders.object_source import object_digest, source_hash

NOTEBOOK = """
import torch
from torch import nn

def bend(x):
    return x.{bend}()

SCALE = {scale}

class Net(nn.Module):
    {docstring}
    def __init__(self, width=1):
        super().__init__()
        self.width = width

    def forward(self, x):
        return bend(x) * SCALE

def unused():
    return {unused}
"""


def in_notebook(bend="relu", scale=1.0, docstring="", unused=0):
    session = types.ModuleType("notebook_of_a_test")
    sys.modules[session.__name__] = session
    try:
        exec(NOTEBOOK.format(bend=bend, scale=scale, docstring=docstring, unused=unused), session.__dict__)
        return object_digest(session.Net())
    finally:
        del sys.modules[session.__name__]


def test_code_of_a_notebook_counts_with_what_it_uses_and_nothing_else():
    assert in_notebook() == in_notebook() == in_notebook(unused=1)
    assert len({in_notebook(), in_notebook(bend="tanh"), in_notebook(scale=2.0)}) == 3


def test_the_digest_is_the_same_in_another_process():
    code = (
        "from torch import nn\nfrom heatproof.models.loaders.object_source import object_digest\n"
        "print(object_digest(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(0.5))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert object_digest(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(0.5))) == other


def with_attribute(value):
    module = nn.Flatten()
    module.given = value
    return object_digest(module)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, 2),
        ("a", "b"),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (torch.zeros(2), torch.ones(2)),
        (np.zeros(2), np.zeros(3)),
        (torch.relu, torch.tanh),
        (functools.partial(torch.add, 1), functools.partial(torch.add, 2)),
        (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
        (nn.Linear, nn.Conv2d),
        (torch.float32, torch.float64),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_plain_attribute_counts_by_its_value(value, other):
    assert with_attribute(value) == with_attribute(value) != with_attribute(other)


def test_hooks_and_buffers_that_no_state_dict_holds_count():
    def doubled(module, given, output):
        return output * 2

    plain, hooked, buffered = nn.Flatten(), nn.Flatten(), nn.Flatten()
    hooked.register_forward_hook(doubled)
    buffered.register_buffer("mask", torch.ones(2), persistent=False)
    assert len(set(map(object_digest, (plain, hooked, buffered)))) == 3


def test_training_mode_and_gradients_do_not_count():
    module = nn.Linear(2, 2)
    before = object_digest(module)
    module.eval()(torch.ones(1, 2)).sum().backward()
    assert object_digest(module) == before


def test_closures_and_traced_code_count():
    def scaled(factor):
        return lambda x: x * factor

    assert source_hash(scaled(1)) == source_hash(scaled(1)) != source_hash(scaled(2))
    graphs = [torch.fx.symbolic_trace(module) for module in (nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh()))]
    assert object_digest(graphs[0]) != object_digest(graphs[1])


def test_what_refers_to_itself_ends():
    module = nn.Flatten()
    module.loop = [module]
    assert object_digest(module)
