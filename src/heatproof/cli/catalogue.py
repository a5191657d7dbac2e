"""The commands `heatproof methods`, `metrics`, `models` and `data`, which list what the library contains.

With a name, each command shows everything about that one item. All of it is read from the classes themselves.
"""

import inspect
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from heatproof.cli.console import out, table

if TYPE_CHECKING:
    from heatproof.core.settings import Settings

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
        kind = "control, no passes" if method.control else f"{cost.forward:,} forward, {cost.backward:,} backward"
        rows.append((known, kind, _about(cls)))
    out.print(table("Methods", "name", "passes per image", "", rows=rows))


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
        rows.append((known, str(metric.direction), metric.price(TYPICAL_SHAPE), _about(cls, metric.meaning)))
    out.print(table("Metrics", "name", "better", "cost per map of 224 × 224 pixels", "", rows=rows))


def models(name: Name = None) -> None:
    """List the sources that networks can be loaded from."""
    from heatproof.core.settings import exports
    from heatproof.models.loaders import Loader

    if name:
        _show(Loader, name.partition(":")[0])
        return
    loaders = [(known, cls) for known, cls in exports(Loader).items() if issubclass(cls, Loader)]
    rows = [(f"{known}:{cls.shorthand.upper()}" if cls.shorthand else known, _about(cls)) for known, cls in loaders]
    out.print(table("Models", "write", "", rows=rows))


def data(name: Name = None) -> None:
    """List the data sets."""
    from heatproof.core.settings import exports
    from heatproof.data import Dataset

    if name:
        _show(Dataset, name)
        return
    out.print(table("Data sets", "name", "", rows=[(known, _about(cls)) for known, cls in exports(Dataset).items()]))


def _about(cls: type["Settings"], text: str = "") -> str:
    """Return one line that says what the item is, and one line with the names of its settings."""
    settings = ", ".join(cls.model_fields)
    line = escape(text or (inspect.getdoc(cls) or "").splitlines()[0])
    return f"{line}\n[dim]{escape(settings)}[/]" if settings else line


def _show(family: type["Settings"], name: str) -> None:
    """Print the docstring of the item's module, and a table of its settings."""
    from heatproof.core.settings import lookup

    cls = lookup(family, name)
    out.print(f"[bold]{cls.name}[/]")
    out.print(_unwrapped((sys.modules[cls.__module__].__doc__ or "").strip()), markup=False)
    rows = []
    for key, field in cls.model_fields.items():
        default = "required" if field.is_required() else str(field.get_default(call_default_factory=True))
        rows.append((key, escape(default), escape(_type(str(field.annotation)))))
    if rows:
        out.print()
        out.print(table("Settings", "name", "default", "type", rows=rows))


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


def _type(annotation: str) -> str:
    """Shorten the text of a type: `Optional[int]` rather than `typing.Optional[typing.Annotated[int, Gt(gt=0)]]`."""
    plain = re.sub(r"typing\.Annotated\[([^,\]]+),[^\]]*\]", r"\1", annotation)
    return re.sub(r"<class '(.+)'>", r"\1", plain).replace("typing.", "").replace("heatproof.", "")
