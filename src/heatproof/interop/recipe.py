"""A recipe: the class of another library's object and the settings that it is built with, so that it can be built again.

An object of a peer belongs to one network. A method has to explain any network that it is given, such as a copy with other weights,
so that the object is taken apart into its class and its settings and is built anew for each network. Plain values and classes of
the library itself survive the way to JSON and back, which experiments and worker processes need; any other object stays usable in
Python, but is refused when it is read back.
"""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import BeforeValidator, PlainSerializer, TypeAdapter
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError, ModelError, UsageError
from heatproof.numerics.frozen_tensor import FrozenTensor
from heatproof.passes.memory import memory_failure

_TENSORS: TypeAdapter[Tensor] = TypeAdapter(FrozenTensor, config={"arbitrary_types_allowed": True})
_OBJECT, _TENSOR = "object", "tensor"


@dataclass(frozen=True)
class Recipe:
    """How an object of another library is built.

    cls       its class.
    settings  the arguments of its constructor other than the network; a layer by its name, an inner object by its own recipe.
    """

    cls: type
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.cls.__name__}({inside})" if inside else self.cls.__name__

    def classes(self) -> list[type]:
        """The class and those of all inner objects."""
        inner = [cls for value in self.settings.values() if isinstance(value, Recipe) for cls in value.classes()]
        return [self.cls, *inner]

    def written(self) -> Any:
        """The recipe as plain JSON values: a table with the name of the class."""
        settings = {name: write(value) for name, value in self.settings.items()}
        return {"class": self.cls.__name__} | ({"settings": settings} if settings else {})


def class_named(name: str, modules: Sequence[str]) -> type:
    """The class of that name in the modules of a library, which is imported now.

    Raises:
        ValueError: The library is not installed, or has no such class.
    """
    for path in modules:
        try:
            found = getattr(importlib.import_module(path), name, None)
        except ImportError as error:
            library = path.partition(".")[0]
            raise ValueError(f"expected {library} to be installed, got {error}; run: pip install {library}") from None
        if inspect.isclass(found):
            return found
    raise ValueError(f"expected a class of {' or '.join(modules)}, got {name!r}; see the documentation of that package")


def read_recipe(given: Any, modules: Sequence[str]) -> Recipe | None:
    """The recipe in a class, a name, or what `Recipe.written` returned; None for an object."""
    if isinstance(given, Recipe):
        return given
    if isinstance(given, str):
        return Recipe(class_named(given, modules))
    if inspect.isclass(given):
        return Recipe(given)
    if isinstance(given, Mapping):
        if unreadable := given.get(_OBJECT):
            raise ValueError(
                f"expected a name or a table, got {unreadable}, which exists in Python only; give the method itself there"
            )
        found = given.get("class", "")
        cls = found if inspect.isclass(found) else class_named(str(found), modules)
        settings = {name: _read_setting(value, modules) for name, value in given.get("settings", {}).items()}
        return Recipe(cls, settings)
    return None


def _read_setting(value: Any, modules: Sequence[str]) -> Any:
    return read_recipe(value, modules) if isinstance(value, Mapping) and "class" in value else read(value)


def settings_of(built: Any, leave_out: Sequence[str]) -> dict[str, Any]:
    """The arguments that an object was built with, read from its attributes of the same name, with or without an underscore."""
    found = {}
    for parameter in list(inspect.signature(type(built).__init__).parameters.values())[1:]:
        if parameter.name in leave_out or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = _attribute(built, parameter.name)
        if value is not inspect.Parameter.empty and not _same(value, parameter.default):
            found[parameter.name] = value
    return found


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, bool | int | float | str) and bool(value == default))


def _attribute(built: Any, name: str) -> Any:
    for key in (name, f"_{name}"):
        if key in vars(built):
            return vars(built)[key]
    inner = [
        value for value in vars(built).values() if type(value).__module__ == type(built).__module__ or hasattr(value, "attribute")
    ]
    return next((vars(value)[name] for value in inner if name in getattr(value, "__dict__", {})), inspect.Parameter.empty)


def layer_name(network: Any, layer: nn.Module) -> str:
    """The name of a layer in a network.

    Raises:
        ValueError: The network is no module, or has no such layer.
    """
    names = network.named_modules() if isinstance(network, nn.Module) else ()
    for name, module in names:
        if module is layer:
            return str(name)
    raise ValueError(
        f"expected an object made for an nn.Module that contains the layer {type(layer).__name__}, got one made for "
        f"{type(network).__name__}; make it for the module itself, or name the layer: "
        '{"class": "LayerGradCam", "settings": {"layer": "layer4"}}'
    )


# Arguments ────────────────────────────────────────────────────────────────────────────────────────


def read(value: Any) -> Any:
    """A value from JSON: lists as tuples, which peers expect, and tensors as tensors."""
    if isinstance(value, Mapping):
        if _OBJECT in value:
            raise ValueError(
                f"expected a plain value, got {value[_OBJECT]}, which exists in Python only; give the method itself there"
            )
        return _TENSORS.validate_python(value[_TENSOR]) if _TENSOR in value else {key: read(each) for key, each in value.items()}
    return tuple(read(each) for each in value) if isinstance(value, list | tuple) else value


def write(value: Any) -> Any:
    """A value as plain JSON values; of an object that has none, where it comes from, and which one it is."""
    if isinstance(value, Recipe):
        return value.written()
    if isinstance(value, Tensor):
        return {_TENSOR: _TENSORS.dump_python(value.detach().cpu(), mode="json")}
    if isinstance(value, Mapping):
        return {str(key): write(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [write(each) for each in value]
    if isinstance(value, bool | int | float | str | type(None)):
        return value
    kind = value if inspect.isroutine(value) or inspect.isclass(value) else type(value)
    return {_OBJECT: f"{kind.__module__}.{kind.__qualname__}", "id": id(value)}


def placed(value: Any, images: Tensor) -> Any:
    """An argument with its tensors where the images are, and floating-point ones in their type."""
    if isinstance(value, Tensor):
        return value.to(images) if value.is_floating_point() else value.to(images.device)
    if isinstance(value, Mapping):
        return {key: placed(each, images) for key, each in value.items()}
    return tuple(placed(each, images) for each in value) if isinstance(value, list | tuple) else value


Arguments = Annotated[dict[str, Any], BeforeValidator(read), PlainSerializer(write)]
"""The keyword arguments of a peer's call."""


@contextmanager
def refusing(peer: str) -> Iterator[None]:
    """A block in which what a peer raises becomes one line.

    Errors of this library, and memory that ran out, are no refusal of the peer's and stay what they are.

    Raises:
        UsageError: The peer refuses its arguments or the network.
    """
    try:
        yield
    except HeatproofError:
        raise
    except (AssertionError, TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        if memory_failure(error) is not None:
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"{peer}: expected arguments and a network that it takes, got: {first}; see its documentation") from error


def unaltered(tensor: Tensor) -> Tensor:
    """An ordinary copy of a tensor, for code that records gradients, also of an inference tensor."""
    with torch.inference_mode(False):
        return tensor.detach().clone()


def on_input(values: Any, image: Tensor) -> Tensor:
    """The result of a peer in the shape of the image.

    Raises:
        ModelError: It has no place in the image.
    """
    while isinstance(values, tuple | list) and len(values) == 1:
        (values,) = values
    if isinstance(values, Tensor):
        found: Tensor = values.detach()
        if found.shape == image.shape:
            return found
        if found.ndim == image.ndim and found.ndim > 2 and len(found) == 1:
            mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[image.ndim]
            wide = F.interpolate(found.sum(1, keepdim=True), size=image.shape[2:], mode=mode, align_corners=False)
            return (wide / image.shape[1]).expand_as(image).contiguous()
    shape = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
    raise ModelError(
        f"expected a map shaped as the input, {list(image.shape)}, or one of a layer with as many axes, got {shape}; choose a "
        "layer whose output keeps places apart"
    )
