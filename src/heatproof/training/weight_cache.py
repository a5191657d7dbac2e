"""Trained weights in the user's cache folder, under the hash of all that decides them, with the history of their training."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import TypeAdapter, ValidationError

from heatproof.core.settings import content_hash
from heatproof.data.base import Item
from heatproof.models.model import Model
from heatproof.store.atomic import write_atomically
from heatproof.training.fit import FittedNetwork

LOOP_VERSION = 1
"""The version of the training loop. It is increased when the loop changes, so that cached networks are trained again."""


def cache_file(settings: list[Any], items: list[Item]) -> Path:
    """Where the weights are that are decided by these settings, beside the loop, and by the images with their labels and values."""
    examples = [[item.digest, item.label, *([] if item.value is None else [item.value])] for item in items]
    content = [LOOP_VERSION, *settings, examples]
    return user_cache_path("heatproof") / "trained" / f"{content_hash(content)}.safetensors"


@dataclass(frozen=True)
class CachedTraining:
    """The metadata beside the weights in the cache; the digest is that of the model that was written."""

    name: str
    digest: str
    fitted: FittedNetwork


_CACHED = TypeAdapter(CachedTraining)


def read_weights(file: Path, model: Model) -> tuple[Model, FittedNetwork] | None:
    """The model with the cached weights; None if there are none, or not those that were written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as content:
            cached = _CACHED.validate_json((content.metadata() or {})["trained"])
            state = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118 - not a dictionary
        model.module.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, KeyError, ValidationError):
        return None
    return (model, cached.fitted) if model.digest == cached.digest else None


def write_weights(file: Path, model: Model, fitted: FittedNetwork) -> None:
    """Write the weights; where no cache can be written, the training is repeated the next time."""
    from safetensors.torch import save

    state: dict[str, Any] = {key: value.detach().cpu().contiguous().clone() for key, value in model.module.state_dict().items()}
    metadata = {
        "trained": _CACHED.dump_json(CachedTraining(model.name, model.digest, fitted)).decode()
    }  # one key, since the order of several is not fixed
    with suppress(OSError):
        write_atomically(file, save(state, metadata))
