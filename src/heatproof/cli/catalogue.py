"""The commands `heatproof methods`, `metrics`, `models` and `data`, which list what the library contains.

With a name, each command shows everything about that one item. All of it is read from the classes themselves.
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from heatproof.cli.console import definitions, out
from heatproof.core.formatting import sentence_case

if TYPE_CHECKING:
    from heatproof.core.settings import Settings

LISTED = 16
"""The largest number of choices that are listed for a setting."""

Name = Annotated[
    str | None,
    typer.Argument(help="Show the definition, cost, source and settings of this one only.", show_default=False, metavar="NAME"),
]


def methods(name: Name = None) -> None:
    """List the attribution methods and how many passes each costs per image."""
    from heatproof.core.settings import exports
    from heatproof.methods import Method
    from heatproof.passes.counting import TYPICAL_SHAPE

    if name:
        _show(Method, name)
        return
    rows = []
    for known, cls in exports(Method).items():
        method = Method.from_dict(known)
        cost = method.cost(TYPICAL_SHAPE)
        passes = f"{cost.forward:,} forward and {cost.backward:,} backward passes per image"
        rows.append(_about(known, cls, "a control, without passes" if method.control else passes))
    _list("Methods", rows, "heatproof methods NAME")


def metrics(name: Name = None) -> None:
    """List the metrics, whether higher or lower is better, and what each costs per map."""
    from heatproof.core.settings import exports
    from heatproof.metrics import Metric
    from heatproof.passes.counting import TYPICAL_SHAPE

    if name:
        _show(Metric, name)
        return
    rows = []
    for known, cls in exports(Metric).items():
        metric = Metric.from_dict(known)
        price = metric.price(TYPICAL_SHAPE)
        rows.append(_about(known, cls, f"{metric.direction} is better · cost: {price}", metric.meaning))
    _list("Metrics, with the cost for each map of 224 × 224 pixels", rows, "heatproof metrics NAME")


def models(name: Name = None) -> None:
    """List the sources that networks can be loaded from."""
    from heatproof.core.settings import exports
    from heatproof.models.loaders import Loader

    if name:
        _show(Loader, name.partition(":")[0])
        return
    loaders = [(known, cls) for known, cls in exports(Loader).items() if issubclass(cls, Loader)]
    rows = [_about(f"{known}:{cls.shorthand.upper()}" if cls.shorthand else known, cls) for known, cls in loaders]
    _list("Models", rows, "heatproof models NAME")


def data(name: Name = None) -> None:
    """List the data sets."""
    from heatproof.core.settings import exports
    from heatproof.data import Dataset

    if name:
        _show(Dataset, name)
        return
    _list("Data sets", [_about(known, cls) for known, cls in exports(Dataset).items()], "heatproof data NAME")


def _about(term: str, cls: type["Settings"], facts: str = "", meaning: str = "") -> tuple[str, ...]:
    """Return the term, a sentence about the item, its facts and the names of its settings."""
    from heatproof.core.setting_docs import first_sentence

    settings = ", ".join(cls.model_fields)
    return term, meaning or first_sentence(cls), facts, f"settings: {settings}" if settings else ""


def _list(title: str, rows: Iterable[tuple[str, ...]], more: str) -> None:
    out.print(definitions(title, list(rows)))
    out.print(f"\n{more} says what its settings mean.", style="dim")


def _show(family: type["Settings"], name: str) -> None:
    """Print the docstring of the item's module, and what each of its settings means."""
    from heatproof.core.setting_docs import REQUIRED, setting_docs
    from heatproof.core.settings import lookup

    cls = lookup(family, name)
    out.print(f"[bold]{cls.name}[/]")
    for line in _unwrapped((sys.modules[cls.__module__].__doc__ or "").strip()).splitlines():
        out.print(Padding(Text(line.strip()), (0, 0, 0, len(line) - len(line.lstrip()))))
    rows = []
    for item in setting_docs(cls):
        default = REQUIRED if item.default == REQUIRED else f"default: {item.default}"
        choices = f"one of {', '.join(item.choices)}" if 1 < len(item.choices) <= LISTED else ""
        rows.append((item.name, sentence_case(item.meaning), f"{item.type} · {default}", choices))
    if rows:
        out.print()
        out.print(definitions("Settings", rows))


def _unwrapped(text: str) -> str:
    """Join the lines of each paragraph, so that the terminal wraps them; indented formulas and lines such as `Cost:` stay lines."""
    lines: list[str] = []
    for line in text.splitlines():
        goes_on = (
            lines
            and lines[-1]
            and not lines[-1].startswith(" ")
            and line
            and not line.startswith((" ", "Cost:", "Source:", "Differs"))
        )
        if goes_on:
            lines[-1] += " " + line
        else:
            lines.append(line)
    return "\n".join(lines)
