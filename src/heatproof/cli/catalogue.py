"""`heatproof methods`, `metrics`, `models`, `data`: what there is, read from the registries; with a name, all about that one."""

import inspect
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from heatproof.cli.console import out, table

if TYPE_CHECKING:
    from heatproof.core.settings import Settings

Name = Annotated[str | None, typer.Argument(help="Show the formula, cost, source and settings of this one.", show_default=False)]


def methods(name: Name = None) -> None:
    """List the attribution methods and their cost in passes an image."""
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
        kind = "control, no passes" if method.control else f"{cost.forward} forward, {cost.backward} backward"
        rows.append((known, kind, _about(cls)))
    out.print(table("methods", "name", "passes an image", "", rows=rows))


def metrics(name: Name = None) -> None:
    """List the metrics, which way is better, and their cost in passes a map."""
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
    out.print(table("metrics", "name", "better", "passes a map of 224 × 224 pixels", "", rows=rows))


def models(name: Name = None) -> None:
    """List where networks can come from."""
    from heatproof.core.settings import exports
    from heatproof.models.loaders import Loader

    if name:
        _show(Loader, name.partition(":")[0])
        return
    loaders = [(known, cls) for known, cls in exports(Loader).items() if issubclass(cls, Loader)]
    rows = [(f"{known}:{cls.shorthand.upper()}" if cls.shorthand else known, _about(cls)) for known, cls in loaders]
    out.print(table("models", "reference", "", rows=rows))


def data(name: Name = None) -> None:
    """List the data sets."""
    from heatproof.core.settings import exports
    from heatproof.data import Dataset

    if name:
        _show(Dataset, name)
        return
    out.print(table("data sets", "name", "", rows=[(known, _about(cls)) for known, cls in exports(Dataset).items()]))


def _about(cls: type["Settings"], text: str = "") -> str:
    """One line on what it is, one on what can be set."""
    settings = ", ".join(cls.model_fields)
    line = escape(text or (inspect.getdoc(cls) or "").splitlines()[0])
    return f"{line}\n[dim]{escape(settings)}[/]" if settings else line


def _show(family: type["Settings"], name: str) -> None:
    from heatproof.core.settings import lookup

    cls = lookup(family, name)
    out.print(f"[bold]{cls.name}[/]")
    out.print(_unwrapped((sys.modules[cls.__module__].__doc__ or "").strip()), markup=False)
    rows = []
    for key, field in cls.model_fields.items():
        default = "required" if field.is_required() else str(field.get_default(call_default_factory=True))
        rows.append(
            (
                key,
                escape(default),
                escape(_type(str(field.annotation))),
            )
        )
    if rows:
        out.print()
        out.print(table("settings", "name", "default", "type", rows=rows))


def _unwrapped(text: str) -> str:
    """Running text in whole lines, for the terminal to wrap; formulas, which are indented, and `Cost:` and its like stay."""
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
    """`Optional[int]` rather than `typing.Optional[typing.Annotated[int, Gt(gt=0)]]`."""
    plain = re.sub(r"typing\.Annotated\[([^,\]]+),[^\]]*\]", r"\1", annotation)
    return re.sub(r"<class '(.+)'>", r"\1", plain).replace("typing.", "").replace("heatproof.", "")
