"""The zoo of awkward networks: one small module for each trouble. `tests/laws/test_zoo.py` runs every method over it."""

from tests.zoo import (
    activations,
    attention,
    layouts,
    normalisation,
    operations,
    outputs,
    precision,
    purity,
    wrapped,
)
from tests.zoo.network import ALL, BACKWARD, GROUPS, ZOO, Network

__all__ = ["ALL", "BACKWARD", "GROUPS", "ZOO", "Network"]

KINDS = (outputs, purity, normalisation, activations, layouts, attention, operations, precision, wrapped)
"""The files, in the order of the table."""
