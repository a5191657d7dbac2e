"""Damaged input of every kind, made from a fixed seed: it is read, or refused by an error of this library in one line.

`python -m tests.hostile` tries 10,000 inputs of each target, and docs/project/faults.md has its table. Here, targets that are slow
get a share of them.
"""

import random

import pytest

from tests.hostile.targets import TARGETS, tried

SHARE = {
    **dict.fromkeys(("manifests of runs", "logs of runs", "arrays, npz", "names of networks", "weights, torch"), 2_000),
    **dict.fromkeys(("text of experiments", "settings in one line", "maps of runs", "verdict files"), 700),
    **dict.fromkeys(("parts of runs", "command lines"), 150),
}
"""How many inputs a target gets that is slower than a tenth of a millisecond an input."""


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_refused_in_one_line(name, tmp_path):
    n = SHARE.get(name, 10_000)
    read, refused = tried(name, tmp_path, random.Random(0), n)
    assert read + refused == n
    assert refused or name in ("logs of runs", "parts of runs")  # which are read as far as they go, and set aside
