"""One group of comparisons a file: `NETWORKS`, and `rows(network, size, rounds)`. A group's peers are imported when it runs."""

import importlib
from typing import Any

GROUPS = (
    "memory",
    "integrated_gradients",
    "smooth_grad",
    "region_perturbation",
    "pixel_flipping",
    "incremental",
    "layer_passes",
    "forward_rate",
    "backward_rules",
    "backward_rules_memory",
    "activation_maps",
    "occlusion",
    "masks",
    "shapley",
    "overhead",
    "growth",
    "tolerance",
    "units",
    "workers",
)
"""In the order in which they run on a network. Memory is first: what a process has allocated, its children cannot have."""


def group(name: str) -> Any:
    """The module of a group."""
    return importlib.import_module(f"benchmarks.groups.{name}")
