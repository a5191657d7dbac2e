"""References to networks as a user writes them: `efficientnet_lite0`, `torchvision:resnet18`, `my_package.nets:build`, or a table
of settings.
"""

from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from heatproof.core.errors import SettingsError
from heatproof.core.settings import exports, lookup
from heatproof.core.settings_text import parse_settings
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.import_path import is_import_path
from heatproof.models.loaders.imported import Imported
from heatproof.models.model import Model


def load_model(reference: str | Mapping[str, Any] | Loader) -> Model:
    """Load the network of a reference.

    Raises:
        UnknownNameError: There is no loader of that name.
        SettingsError: The reference lacks something, or contains too much.
        WeightsMissing: The weights are not on this machine.
        ModelError: The network cannot be built.

    >>> from heatproof.models.loaders import load_model
    >>> load_model("toy:mlp").name
    'toy:mlp (random weights)'
    """
    return resolve(reference).load()


def resolve(reference: str | Mapping[str, Any] | Loader, settings: Mapping[str, Any] | None = None) -> Loader:
    """The loader of a reference; nothing is loaded.

    A text is the name of a loader, alone or with a colon and what it should load: `timm:vit_tiny_patch16_224`. An import path,
    `my_package.nets:build`, is a network of the user's. Settings may follow, as on the command line:
    `torchvision:resnet18,weights=random`. A table contains `name` and the settings of the loader.

    Args:
        reference: the text, the table or the loader.
        settings: further settings beside a text; those of an import path that the loader `imported` does not have are arguments
            of the callable.

    >>> from heatproof.models.loaders import resolve
    >>> resolve({"name": "toy", "architecture": "mlp"}) == resolve("toy:mlp")
    True
    >>> str(resolve("my_package.nets:build", {"width": 8}))
    "imported(path=my_package.nets:build, arguments={'width': 8})"
    """
    if isinstance(reference, Loader):
        return reference
    if isinstance(reference, str):
        fields = parse_settings(reference)
        return _from_text(fields.pop("name"), {**fields, **(settings or {})})
    if not isinstance(reference, Mapping):
        remedy = "write Model(module, bounds)" if isinstance(reference, nn.Module) else "write its import path, module:callable"
        remedy = "it is loaded already" if isinstance(reference, Model) else remedy
        raise SettingsError(
            f"model: expected the name of a network or a table of settings, got {type(reference).__name__}; {remedy}"
        )
    if "name" not in reference:
        raise SettingsError(f"model: expected a table with `name`, one of {', '.join(exports(Loader))}, got keys {list(reference)}")
    fields = {key: value for key, value in reference.items() if key != "name"}
    return cast(Loader, lookup(Loader, str(reference["name"]))(**fields))


def _from_text(text: str, settings: Mapping[str, Any]) -> Loader:
    name, colon, rest = text.partition(":")
    path = rest if name == Imported.name else text
    if is_import_path(path) and (path == rest or name not in exports(Loader)):
        return _imported(path, settings)
    chosen = cast(type[Loader], lookup(Loader, name))
    if not chosen.shorthand:
        if colon:
            raise SettingsError(f"{text}: {name} takes nothing after a colon; write {name}")
        return chosen(**settings)
    fields = {key: _as_loader(value) if _is_loader(chosen, key) else value for key, value in settings.items()}
    if not colon and (chosen.shorthand in fields or not chosen.model_fields[chosen.shorthand].is_required()):
        return chosen(**fields)
    if not rest:
        raise SettingsError(f"{text}: expected what {name} should load; write {name}:{chosen.shorthand.upper()}")
    others = [key for key, field in chosen.model_fields.items() if field.is_required() and key not in (chosen.shorthand, *fields)]
    if others:
        example = '{name = "torchvision", architecture = "resnet18", weights = "random"}'
        raise SettingsError(
            f"{text}: {name} also needs {', '.join(others)}, add it on the command line, as in "
            f"{text},{others[0]}=my_package.nets:build, or give a table, such as "
            f'{{name = "{name}", {chosen.shorthand} = "{rest}", {others[0]} = {example}}}'
        )
    return chosen(**{**fields, chosen.shorthand: rest})


def _imported(path: str, settings: Mapping[str, Any]) -> Loader:
    own = {key: value for key, value in settings.items() if key in Imported.model_fields}
    arguments = {key: value for key, value in settings.items() if key not in own}
    return Imported(**{**own, "path": path, "arguments": {**own.get("arguments", {}), **arguments}})


def _is_loader(chosen: type[Loader], key: str) -> bool:
    return key in chosen.model_fields and chosen.model_fields[key].annotation is Loader


def _as_loader(value: Any) -> Any:
    return resolve(value) if isinstance(value, str) else value
