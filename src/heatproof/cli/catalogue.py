"""`heatproof methods`, `metrics`, `models`, `data`: what there is, read from the registries."""

import inspect
from typing import TYPE_CHECKING

from heatproof.cli.console import out, table

if TYPE_CHECKING:
    from heatproof.core.spec import Settings


def methods() -> None:
    """List the attribution methods, their settings and their cost in passes an image."""
    from heatproof.core.spec import exports
    from heatproof.methods import Method

    rows = []
    for name, cls in exports(Method).items():
        method = cls()
        if isinstance(method, Method):
            cost = method.cost()
            passes = f"{cost.forward} + {cost.backward}" if cost.forward else "none"
            rows.append((name, "control" if method.control else "", passes, _settings(cls), _first_line(cls)))
    out.print(table("methods", "name", "", "forward + backward", "settings", "what it is", rows=rows))


def metrics() -> None:
    """List the metrics, which way is better, and their cost in passes a map."""
    from heatproof.core.spec import exports
    from heatproof.metrics import Metric

    rows = []
    for name, cls in exports(Metric).items():
        metric = cls()
        if isinstance(metric, Metric):
            cost = f"{metric.cost().forward} forward" if metric.cost().forward else "none"
            cost += ", one more map" if metric.explanations else ""
            rows.append((name, f"{metric.direction} is better", cost, _settings(cls), metric.meaning))
    out.print(table("metrics", "name", "direction", "passes a map", "settings", "what it says", rows=rows))


def models() -> None:
    """List where networks can come from."""
    from heatproof.core.spec import exports
    from heatproof.models.loaders import Loader

    rows = []
    for name, cls in exports(Loader).items():
        if issubclass(cls, Loader):
            rows.append((f"{name}:{cls.shorthand.upper()}" if cls.shorthand else name, _settings(cls), _first_line(cls)))
    out.print(table("models", "reference", "settings", "what it is", rows=rows))


def data() -> None:
    """List the data sets."""
    from heatproof.core.spec import exports
    from heatproof.data import Dataset

    rows = [(name, _settings(cls), _first_line(cls)) for name, cls in exports(Dataset).items()]
    out.print(table("data sets", "name", "settings", "what it is", rows=rows))


def _settings(cls: type["Settings"]) -> str:
    return ", ".join(cls.model_fields)


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").splitlines()[0]
