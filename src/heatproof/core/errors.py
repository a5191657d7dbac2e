"""Every error this library raises on purpose.

    HeatproofError
    ├── UsageError           the call is wrong: a caller can mend it without touching data or machine
    │   ├── SettingsError    a setting has an impossible value
    │   ├── UnknownNameError no method, metric, model … of that name
    │   └── TensorError      a tensor of the wrong shape, type, device or content
    ├── DataError            an image or data set cannot be used
    │   └── ImageRefused     one image file is refused; a run goes on without it
    ├── ModelError           a network cannot be loaded or does not behave as one
    │   └── WeightsMissing   the weights are not on this machine
    └── RunError             a run ended with failed units

A message says what was expected, what came, and what to do about it.
"""

from difflib import get_close_matches


class HeatproofError(Exception):
    """Base of the tree."""


class UsageError(HeatproofError, ValueError):
    """The call is wrong."""


class SettingsError(UsageError):
    """A setting has an impossible value."""


class UnknownNameError(UsageError):
    """No item of that name; the message lists the nearest names."""

    def __init__(self, family: str, name: str, known: list[str]) -> None:
        near = get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(sorted(known))}."
        super().__init__(f"no {family} is called {name!r}. {hint}")


class TensorError(UsageError):
    """A tensor of the wrong shape, type, device or content."""


class DataError(HeatproofError):
    """An image or data set cannot be used."""


class ImageRefused(DataError):
    """One image is refused. `source` names the file, `reason` says why and what to do."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}")

    def __reduce__(self) -> tuple[type["ImageRefused"], tuple[str, str]]:
        return ImageRefused, (self.source, self.reason)


class ModelError(HeatproofError):
    """A network cannot be loaded or does not behave as one."""


class WeightsMissing(ModelError):
    """The weights are not on this machine; the message holds the command that brings them."""


class RunError(HeatproofError):
    """A run ended with failed units."""
