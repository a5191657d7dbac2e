"""A line drawing of what is explained where that is no image, such as a molecule, and the place of each position of its map."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Drawing(BaseModel):
    """A drawing as the content of an SVG file, without its root element and without a background.

    lines   the elements of the drawing.
    width   the width of the drawing in its own units.
    height  the height of the drawing.
    places  the centre of each drawn position of the signal, from the first on; further positions, such as padding, are not drawn.
    radius  the radius of a position.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: str
    width: float
    height: float
    places: Sequence[tuple[float, float]]
    radius: float
