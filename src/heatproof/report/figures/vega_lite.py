"""The parts of a Vega-Lite specification: a layer, and the channels that encode a field of its data.

Source: Satyanarayan et al., "Vega-Lite: A Grammar of Interactive Graphics", TVCG 2017.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Values = Sequence[Mapping[str, Any]]


def quantity(field: str, **settings: Any) -> Spec:
    """The channel of a field of numbers.

    >>> from heatproof.report.figures.vega_lite import quantity
    >>> quantity("mean", title="AUPC")
    {'field': 'mean', 'type': 'quantitative', 'title': 'AUPC'}
    """
    return {"field": field, "type": "quantitative", **settings}


def category(field: str, **settings: Any) -> Spec:
    """The channel of a field of names."""
    return {"field": field, "type": "nominal", **settings}


def choice(test: Any, value: Any, otherwise: Any) -> Spec:
    """The channel of two constants, of which an expression or the name of a selection decides.

    >>> from heatproof.report.figures.vega_lite import choice
    >>> choice("datum.x > 1", 2, 1)
    {'condition': {'test': 'datum.x > 1', 'value': 2}, 'value': 1}
    """
    return {"condition": {**(test if isinstance(test, Mapping) else {"test": test}), "value": value}, "value": otherwise}


def layer(mark: str, style: Mapping[str, Any], encoding: Mapping[str, Any], values: Values | None = None) -> Spec:
    """A layer of marks; without values of its own, it draws those of the whole chart."""
    data: Spec = {} if values is None else {"data": {"values": [*values]}}
    return {"mark": {"type": mark, **style}, "encoding": dict(encoding), **data}


def layered(width: int | str, height: int, layers: Sequence[Spec], values: Values | None = None) -> Spec:
    """Layers over each other. The width is in pixels, or "container" for the width of the page."""
    data: Spec = {} if values is None else {"data": {"values": [*values]}}
    return {"width": width, "height": height, "layer": [*layers], **data}
