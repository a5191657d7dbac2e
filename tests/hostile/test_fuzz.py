"""Damaged input of every kind, made from a fixed seed: it is read, or refused by an error of this library in one line.

`python -m tests.hostile` tries as many inputs of each target, and docs/project/faults.md has its table.
"""

import random

import pytest

from tests.hostile.targets import TARGETS, in_memory, tried

INPUTS = 10_000


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_refused_in_one_line(name):
    with in_memory() as folder:
        read, refused = tried(name, folder, random.Random(0), INPUTS)
    assert read + refused == INPUTS
    assert refused or name in ("logs of runs", "parts of runs")  # which are read as far as they go, and set aside
