"""References to networks as a user writes them: `efficientnet_lite0`, `torchvision:resnet18`, or a table of settings."""

from collections.abc import Mapping
from typing import Any, cast

from heatproof.core.errors import SettingsError
from heatproof.core.settings import exports, lookup
from heatproof.models.loaders.base import Loader
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


def resolve(reference: str | Mapping[str, Any] | Loader) -> Loader:
    """The loader of a reference; nothing is loaded.

    A text is the name of a loader, alone or with a colon and what it should load: `timm:vit_tiny_patch16_224`. A table contains
    `name` and the settings of the loader.

    >>> from heatproof.models.loaders import resolve
    >>> resolve({"name": "toy", "architecture": "mlp"}) == resolve("toy:mlp")
    True
    """
    if isinstance(reference, Loader):
        return reference
    if isinstance(reference, str):
        return _from_text(reference)
    if "name" not in reference:
        raise SettingsError(f"model: expected a table with `name`, one of {', '.join(exports(Loader))}, got keys {list(reference)}")
    fields = {key: value for key, value in reference.items() if key != "name"}
    return cast(Loader, lookup(Loader, str(reference["name"]))(**fields))


def _from_text(text: str) -> Loader:
    name, colon, rest = text.partition(":")
    chosen = cast(type[Loader], lookup(Loader, name))
    if not chosen.shorthand:
        if colon:
            raise SettingsError(f"{text}: {name} takes nothing after a colon; write {name}")
        return chosen()
    if not colon and not chosen.model_fields[chosen.shorthand].is_required():
        return chosen()
    if not rest:
        raise SettingsError(f"{text}: expected what {name} should load; write {name}:{chosen.shorthand.upper()}")
    others = [key for key, field in chosen.model_fields.items() if field.is_required() and key != chosen.shorthand]
    if others:
        example = '{name = "torchvision", architecture = "resnet18", weights = "random"}'
        raise SettingsError(
            f"{text}: {name} also needs {', '.join(others)}, which a text cannot contain; give a table, such as "
            f'{{name = "{name}", {chosen.shorthand} = "{rest}", {others[0]} = {example}}}'
        )
    return chosen(**{chosen.shorthand: rest})
