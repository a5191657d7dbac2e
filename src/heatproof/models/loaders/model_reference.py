"""From what a user writes to a network: `efficientnet_lite0`, `torchvision:resnet18`, or a table of settings."""

from collections.abc import Mapping
from typing import Any, cast

from heatproof.core.errors import SettingsError
from heatproof.core.settings import exports, lookup
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model


def load_model(reference: str | Mapping[str, Any] | Loader) -> Model:
    """Resolve a reference and load its network.

    Raises:
        UnknownNameError: no loader of that name.
        SettingsError: the reference lacks something or says too much.
        WeightsMissing: the weights are not on this machine.
        ModelError: the network cannot be built.
    """
    return resolve(reference).load()


def resolve(reference: str | Mapping[str, Any] | Loader) -> Loader:
    """The loader that a reference names; nothing is loaded.

    A text is the name of a loader, alone or with a colon and what it should load: `timm:vit_tiny_patch16_224`. A table holds
    `name` and the loader's settings.
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
            f"{text}: {name} also needs {', '.join(others)}, which no text can hold; give a table, such as "
            f'{{name = "{name}", {chosen.shorthand} = "{rest}", {others[0]} = {example}}}'
        )
    return chosen(**{chosen.shorthand: rest})
