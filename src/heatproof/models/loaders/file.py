"""Weights from a file, for an architecture that another loader builds.

It reads `.safetensors`, and state dicts that torch can load without executing code. A file that contains a program (TorchScript,
`.pt2`, a pickled module) is refused, because opening it means executing code of unknown origin.
"""

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from heatproof.core.errors import ModelError, WeightsMissing
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing

_REMEDY = (
    "where it was made, run safetensors.torch.save_file(model.state_dict(), 'weights.safetensors') and give the `architecture`"
)
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_SHOWN = 3


class File(Loader):
    """A state dict at `path` for the network that `architecture` builds with random weights.

    Every key must fit. A dict that contains the state dict under `state_dict`, `model_state_dict` or `model` is unwrapped, and the
    prefix `module.` of data-parallel training is removed.

    path           the file with the weights.
    architecture   another loader, such as `{name = "torchvision", architecture = "resnet18", weights = "random"}`, or `{name =
                   "timm", architecture = "vit_tiny_patch16_224", pretrained = false, classes = 10}`.
    class_names    the names of the classes, which replace those of the architecture.
    preprocessing  how a photograph becomes an input, which replaces that of the architecture.

    >>> import torch
    >>> from heatproof.models.loaders import File, Toy
    >>> toy = Toy(architecture="mlp", classes=2, width=0.01)
    >>> torch.save(toy.load().module.state_dict(), "weights.pt")
    >>> model = File(path="weights.pt", architecture=toy, class_names=("cat", "dog")).load()
    >>> model.name, model.class_names
    ('file:weights', ('cat', 'dog'))
    """

    shorthand: ClassVar[str] = "path"

    path: Path
    architecture: Loader
    class_names: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    def load(self) -> Model:
        if not self.architecture.random:
            raise ModelError(
                f"{self.path}: expected an architecture with random weights to be replaced, got {self.architecture}; "
                "set its weights to random (torchvision) or pretrained to false (timm)"
            )
        state = _without_prefix(_unwrapped(_read(self.path), self.path))
        model = self._architecture().load()
        _check_fit(state, model.module.state_dict(), self.path, str(self.architecture))
        model.module.load_state_dict(state)
        return model.with_(
            name=f"{self.name}:{self.path.stem}",
            class_names=self.class_names or model.class_names,
            preprocessing=self.preprocessing or model.preprocessing,
            bounds=self.preprocessing.bounds if self.preprocessing else model.bounds,
        )

    def _architecture(self) -> Loader:
        """The architecture, with the preprocessing given here, which `imported` may need."""
        given = self.preprocessing is not None and "preprocessing" in type(self.architecture).model_fields
        return self.architecture.model_copy(update={"preprocessing": self.preprocessing}) if given else self.architecture


_DAMAGE = (
    *(RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, struct.error),
)
"""The exceptions that torch raises for damaged files."""


def _read(path: Path) -> Any:
    if not os.path.isfile(path):  # unlike the method of a path, it is False for a name that no file can have
        raise WeightsMissing(f"{path}: no such file; expected a .safetensors file or a state dict saved by torch")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    _refuse_programs(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles from elsewhere, which are refused below if they do not load
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(f"{path}: refused, because loading it would run code{_unsafe_names(path)}; {_REMEDY}") from None
    except _DAMAGE as error:
        raise ModelError(
            f"{path}: expected a state dict saved by torch, could not read it ({_first_line(error)}); {_REMEDY}"
        ) from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: expected a safetensors file, could not read it ({_first_line(error)}); copy it again") from None
    return state


def _refuse_programs(path: Path) -> None:
    """Refuse TorchScript and exported programs, which are zip archives that contain code."""
    if path.suffix in (".pt2", ".onnx"):
        raise ModelError(f"{path}: refused, because {path.suffix} holds a program, not weights; {_REMEDY}")
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            packed = any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{path}: expected a state dict saved by torch, got a damaged archive ({error}); copy it again") from None
    if packed:
        raise ModelError(f"{path}: refused, because it is compressed, as torch never writes it, and may be of any size; {_REMEDY}")
    if any(
        "/code/" in name or name.endswith(("constants.pkl", "archive_format", "serialized_exported_program.json")) for name in names
    ):
        raise ModelError(f"{path}: refused, because it holds a program (TorchScript or an exported one), not weights; {_REMEDY}")


def _unsafe_names(path: Path) -> str:
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (pickle.UnpicklingError, *_DAMAGE):
        return ""
    return f" (it names {', '.join(names[:_SHOWN])})" if names else ""


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        got = (
            f"a dict with {', '.join(map(str, list(content)[:_SHOWN]))}" if isinstance(content, Mapping) else type(content).__name__
        )
        raise ModelError(f"{path}: expected a state dict, names to tensors, got {got}; {_REMEDY}")
    return dict(content)


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(key.startswith("module.") for key in state):
        return {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _check_fit(state: dict[str, Tensor], wanted: dict[str, Tensor], path: Path, architecture: str) -> None:
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    misshapen = [
        f"{key} is {list(state[key].shape)} and should be {list(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    lists = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    faults = [
        f"{len(keys)} {what} ({', '.join(keys[:_SHOWN])}{', …' if len(keys) > _SHOWN else ''})"
        for what, keys in lists.items()
        if keys
    ]
    if faults:
        raise ModelError(
            f"{path}: the weights do not fit {architecture}: {'; '.join(faults)}; choose the architecture they were trained in"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
