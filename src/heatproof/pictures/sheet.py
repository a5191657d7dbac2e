"""What a figure of maps shows, before it is drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.drawing import Drawing
from heatproof.core.formatting import percent
from heatproof.core.records import Reduction

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Panel:
    """One map, and what is written beside it.

    Attributes:
        values: the map `[c, …]`, raw and signed: a table `[f]`, a signal `[c, t]`, an image `[c, h, w]` or a volume `[c, d, h, w]`.
        title: what tells it from its neighbours, such as the explained class or the method.
        control: whether it is the map of a control, which explains nothing.
        note: a remark on the map; empty if there is none.
        image: what is explained: pixels uint8 [h, w] or [h, w, 3] of an image, [d, h, w] of a volume, and numbers in the shape
            of the map otherwise; None if it is not shown.
        drawing: the line drawing on which the map is painted; None if there is none.
        score: the explained score, beside which a map may be nothing but rounding; NaN if it is not known.
        full: the value of full colour that the panel shares with others; None for its own.
    """

    values: Array
    title: str
    control: bool = False
    note: str = ""
    image: Array | None = None
    drawing: Drawing | None = None
    score: float = float("nan")
    full: float | None = None

    @property
    def heading(self) -> str:
        """The title, with the word control where it is one."""
        return f"{self.title} · control" if self.control else self.title

    @property
    def remark(self) -> str:
        """Why there is nothing to see, or less than there should be, and the note."""
        finite = np.isfinite(self.values)
        if not finite.any():
            trouble, said = "NaN or infinity everywhere", "NaN"
        elif not finite.all():
            trouble, said = f"{percent(float((~finite).mean()))} of the values are NaN or infinity, in grey", ""
        else:
            trouble, said = "" if self.values.any() else "zero everywhere", "zero everywhere"
        return "; ".join(filter(None, ("" if said and said in self.note else trouble, self.note)))


@dataclass(frozen=True, eq=False)
class Sheet:
    """A figure of maps of one kind.

    Attributes:
        title: the heading.
        subtitle: a second, fainter line; empty if there is none.
        panels: the maps, all of one shape.
        image: the image that all maps explain, which is then shown once; None where each panel has its own or none.
        reduction: how the channels of an image became one number per pixel. `values` still hold the channels for the signed sum,
            and are reduced already for any other.
        names: the names of the inputs of a table; empty if they have none.
        omitted: the number of maps that are not shown.
        plain: whether an image is shown by itself as well as under its map.
        overlay: whether an image is shown under its map as well as by itself.
    """

    title: str
    subtitle: str
    panels: tuple[Panel, ...]
    image: Array | None = None
    reduction: Reduction = Reduction.SUM
    names: tuple[str, ...] = ()
    omitted: int = 0
    plain: bool = True
    overlay: bool = True
