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
from tests.zoo.network import GROUPS, ZOO, Network

__all__ = ["COLUMNS", "KINDS", "ZOO", "Network"]

COLUMNS = {
    "gradients": GROUPS["gradients"],
    "activation maps": (*GROUPS["activation maps"], *GROUPS["activation maps without gradients"]),
    "LRP, deep Taylor": GROUPS["relevance"],
    "patterns": GROUPS["patterns"],
    "DeepLIFT": GROUPS["DeepLIFT"],
    "guided": GROUPS["guided"],
    "learned masks": GROUPS["learned masks"],
    "perturbation": GROUPS["perturbation"],
}
"""The columns of the table in the documentation, and the methods of each."""
KINDS = (outputs, purity, normalisation, activations, layouts, attention, operations, precision, wrapped)
"""The files, in the order of the table."""
