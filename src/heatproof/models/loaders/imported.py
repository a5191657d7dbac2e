"""A network of your own, by the import path of the function or class that builds it.

The module is imported and its code is run, as by Python's `import`: an experiment file that names such a network is as trusted as
the code that it names. No other loader runs code of the user's.
"""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import JsonValue, NonNegativeInt, model_validator
from torch import nn

from heatproof.core.errors import ModelError
from heatproof.core.settings import content_hash, exports
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import seeded, without_inplace
from heatproof.models.loaders.file import File
from heatproof.models.loaders.import_path import imported_object, is_import_path, own_errors, working_directory_importable
from heatproof.models.loaders.source_files import source_digest
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing


class Imported(Loader):
    """A network of your own code: an `nn.Module`, or a `Model` that knows its own bounds, preprocessing and class names.

    The module is looked up in the working directory first, then where Python looks. Results are computed anew if the weights, the
    arguments or the source change: the file of the module, and your own files that it imports.

    path           the function or class that returns the network, as `module:callable`; or the network itself, which is copied.
    arguments      the arguments of the call.
    preprocessing  how a photograph becomes an input, which an `nn.Module` does not know; it gives the bounds, and replaces that
                   of a `Model`.
    class_names    the names of the classes, which replace those of a `Model`.
    weights        a file with a state dict that replaces the random weights, read as by `file`.
    seed           the seed of the random weights.

    >>> from heatproof.models.loaders import Imported
    >>> pixels = {"side": 8, "resize": 8, "mean": [0.5], "std": [0.5]}
    >>> model = Imported(path="torch.nn:Flatten", arguments={"start_dim": 1}, preprocessing=pixels).load()
    >>> model.name, model.bounds.lower
    ('torch.nn:Flatten(start_dim=1)', tensor([-1.]))
    """

    shorthand: ClassVar[str] = "path"

    path: str
    arguments: dict[str, JsonValue] = {}  # noqa: RUF012 - pydantic copies it
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    weights: Path | None = None
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _path_is_an_import_path(self) -> Self:
        if not is_import_path(self.path):
            raise ValueError(f"path: expected module:callable, such as my_package.nets:build, got {self.path}")
        return self

    @property
    def random(self) -> bool:
        return self.weights is None

    def load(self) -> Model:
        if self.weights is not None:
            model = File(path=self.weights, architecture=self.model_copy(update={"weights": None})).load()
            return model.with_(name=f"{self._label} with {self.weights.name}")
        with working_directory_importable():
            with seeded(self.seed):
                found = imported_object(self.path, list(exports(Loader)))
            with seeded(self.seed):  # again, since only the first import of a module draws numbers
                model = self._model(self._built(found))
            _check_fits(model)
        return model

    @property
    def _label(self) -> str:
        given = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.path}({given})" if given else self.path

    def _built(self, found: Any) -> Any:
        if isinstance(found, nn.Module | Model):
            if self.arguments:
                raise ModelError(f"{self.path}: expected a callable that takes arguments, got a network; leave out `arguments`")
            return copy.deepcopy(found) if isinstance(found, nn.Module) else found
        if not callable(found):
            raise ModelError(f"{self.path}: expected a callable that returns a network, got {type(found).__name__}")
        self._check_arguments(found)
        with own_errors(f"{self.path}: the call of {self._label.partition(':')[2]}"):
            return found(**self.arguments)

    def _check_arguments(self, build: Callable[..., Any]) -> None:
        try:
            signature = inspect.signature(build)
        except (ValueError, TypeError):  # of some callables in C
            return
        try:
            signature.bind(**self.arguments)
        except TypeError as error:
            taken = ", ".join(map(str, signature.parameters.values()))
            raise ModelError(f"{self.path}: {error}; it takes ({taken}), give these in `arguments`") from None

    def _model(self, built: Any) -> Model:
        if isinstance(built, Model):
            preprocessing = self.preprocessing or built.preprocessing
            model = built.with_(bounds=self.preprocessing.bounds if self.preprocessing else built.bounds)
        elif not isinstance(built, nn.Module):
            raise ModelError(f"{self.path}: expected an nn.Module or a Model to be returned, got {type(built).__name__}")
        elif self.preprocessing is None:
            raise ModelError(
                f"{self.path}: expected how an image becomes an input of this nn.Module, got nothing; give `preprocessing`, such "
                "as {side = 224, resize = 256, mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225]}, or return a Model"
            )
        else:
            preprocessing = self.preprocessing
            model = Model(without_inplace(built), preprocessing.bounds)
        return model.with_(
            preprocessing=preprocessing,
            class_names=self.class_names or model.class_names,
            name=self._label if model.name == "model" else model.name,
            code=content_hash([self.path, self.arguments, source_digest(self.path.partition(":")[0])]),
        )


def _check_fits(model: Model) -> None:
    """One image of zeros must pass, and the class names must be as many as the outputs."""
    if model.preprocessing is None:
        return
    shape = 1, len(model.preprocessing.mean), model.preprocessing.side, model.preprocessing.side
    images = torch.zeros(shape, device=model.device, dtype=model.dtype)
    attempt = f"{model.name}: the forward pass of images {list(shape)}, as `preprocessing` makes them,"
    with own_errors(attempt), torch.no_grad(), model.running():
        outputs = model.outputs(images).shape[1]
    names = len(model.class_names)
    if names not in (0, outputs) and (outputs, names) != (1, 2):
        raise ModelError(
            f"{model.name}: expected a name in `class_names` for each of the network's {outputs} outputs, got {names} names"
        )
