"""Settings in one line of text, as on the command line: `smooth_grad,samples=20,noise.sigma=0.2`."""

import tomllib
from typing import Any

from heatproof.core.errors import SettingsError


def parse_settings(text: str) -> dict[str, Any]:
    """Parse a name that is followed by settings, separated by commas.

    Values are TOML; a value that is no TOML is text. A key with dots sets a value in a nested table.

    Args:
        text: The text, such as `smooth_grad,samples=20`.

    Returns:
        The settings as a table, with the name under the key `name`.

    Raises:
        SettingsError: One of the settings is not of the form `key=value`.

    >>> from heatproof.core.settings_text import parse_settings
    >>> parse_settings("smooth_grad,samples=20,noise.sigma=0.2")
    {'name': 'smooth_grad', 'samples': 20, 'noise': {'sigma': 0.2}}
    """
    name, *parts = _split(text)
    settings: dict[str, Any] = {"name": name.strip()}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"{text!r}: expected NAME,key=value,…, got {part!r} for one of the settings")
        _put(settings, key.strip().split("."), _value(value.strip()))
    return settings


def _split(text: str) -> list[str]:
    """Split the text at every comma that is not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):  # of a number of thousands of digits, and of brackets in brackets without end
        return text


def _put(settings: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        inner = settings.get(key, {})
        settings[key] = settings = inner if isinstance(inner, dict) else {"name": inner}
    settings[path[-1]] = value
