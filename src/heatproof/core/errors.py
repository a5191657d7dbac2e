"""The exceptions that this library raises on purpose.

    HeatproofError
    ├── UsageError           the call is wrong: the caller can correct it without touching data or machine
    │   ├── SettingsError    a setting has an impossible value
    │   ├── UnknownNameError no method, metric, model … has that name
    │   └── TensorError      a tensor has the wrong shape, type, device or content
    ├── DataError            an image or data set cannot be used
    │   └── ImageRefused     one image file is refused; a run continues without it
    ├── ModelError           a network cannot be loaded or does not behave as one
    │   └── WeightsMissing   the weights are not on this machine
    └── RunError             a run ended with failed units

Every message states what was expected, what was given instead, and the remedy.
"""

from collections.abc import Sequence
from difflib import get_close_matches

NEAR = 0.55
"""The least similarity of a name that is suggested in place of another: twice the number of equal characters over all of both."""
LISTED = 24
"""How many names a message lists."""


class HeatproofError(Exception):
    """The base class of all exceptions of this library."""


class UsageError(HeatproofError, ValueError):
    """The call is wrong."""


class SettingsError(UsageError):
    """A setting has an impossible value."""


class UnknownNameError(UsageError):
    """There is no item of that name; the message gives a hint, or else the most similar names, or else those that are known.

    >>> from heatproof.core.errors import UnknownNameError
    >>> str(UnknownNameError("fill", "blck", ["black", "white"]))
    "no fill is called 'blck'. Did you mean black?"
    """

    def __init__(self, family: str, name: str, known: list[str], hint: str = "") -> None:
        super().__init__(f"no {family} is called {name!r:.60}. {hint or near_names(name, known) or listed(known)}")


class TensorError(UsageError):
    """A tensor of the wrong shape, type, device or content."""


class DataError(HeatproofError):
    """An image or data set cannot be used."""


class ImageRefused(DataError):
    """One image is refused. `source` names the file, and `reason` states why and what to do."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}")

    def __reduce__(self) -> tuple[type["ImageRefused"], tuple[str, str]]:
        return ImageRefused, (self.source, self.reason)


class ModelError(HeatproofError):
    """A network cannot be loaded or does not behave as one."""


class WeightsMissing(ModelError):
    """The weights are not on this machine; the message contains the command that fetches them."""


class RunError(HeatproofError):
    """A run ended with failed units."""


def near_names(name: str, known: Sequence[str]) -> str:
    """The question whether a similar name was meant; empty if there is none.

    >>> from heatproof.core.errors import near_names
    >>> near_names("blck", ["black", "white"]), near_names("resnet50", ["trained"])
    ('Did you mean black?', '')
    """
    near = get_close_matches(name, known, n=3, cutoff=NEAR)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def listed(known: Sequence[str]) -> str:
    """The names that are known, the first of them if they are many."""
    more = f" and {len(known) - LISTED:,} more" if len(known) > LISTED else ""
    return f"Known: {', '.join(sorted(known)[:LISTED])}{more}."
