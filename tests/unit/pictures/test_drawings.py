"""Maps on line drawings: every position in the colour of its value, in figures and in the gallery of a report."""

import re

import numpy as np
import pytest
import torch

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError, TensorError
from heatproof.methods import Gradient
from heatproof.models.loaders import MessagePassing
from heatproof.pictures.colors import palette
from heatproof.pictures.draw import draw
from heatproof.pictures.drawings import painted, place_values
from heatproof.pictures.sheet import Panel, Sheet
from heatproof.report.figures.gallery import SIGNED, make_tile
from heatproof.store import Run

DRAWING = Drawing(lines='<path d="M 10 10 L 30 10"/>', width=300, height=40, places=[(10, 10), (30, 10), (50, 10)], radius=8)


def discs(svg):
    """The centre and colour of each inner disc."""
    return [
        (float(x), color)
        for x, r, color in re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="([\d.]+)" fill="(#\w+)"', svg)
        if float(r) == 8
    ]


def test_positions_are_painted_by_sign_beneath_the_lines_and_zero_is_left_white():
    values = np.array([[2.0, 0.5, -2.0, 9.0], [0.0, -0.5, 0.0, 9.0]])  # the last position is padding
    figure = draw(Sheet("Gradient", "toy", (Panel(values, "class 1", drawing=DRAWING),))).figure
    red, blue = (f"#{bytes(palette()[end].tolist()).hex()}" for end in (-1, 0))
    assert discs(figure.content) == [(10.0, red), (50.0, blue)]
    assert figure.content.index("<circle") < figure.content.index("<path")
    assert "class 1 · ±2.0" in figure.content


def test_a_map_of_other_places_is_refused_with_the_remedy():
    with pytest.raises(TensorError, match=r"at least 3 positions, got .2, 2.; give the drawing of its own item"):
        place_values(np.zeros((2, 2)), DRAWING)
    assert painted(DRAWING) == DRAWING.lines


def test_an_attribution_of_graphs_is_saved_on_its_drawings(tmp_path):
    model = MessagePassing(nodes=4, features=3, kinds=1).load().with_(class_names=("no", "yes"))
    attribution = Gradient().attribute(model, torch.rand(2, 7, 4), 1)
    for suffix, start in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        assert attribution.save(tmp_path / f"maps{suffix}", [DRAWING, DRAWING]).read_bytes().startswith(start)
    page = (tmp_path / "maps.svg").read_text()
    assert page.count(DRAWING.lines) == 2
    assert len(discs(page)) == 6
    with pytest.raises(TensorError, match="drawings: expected one for each of 2 maps, got 1"):
        attribution.picture([DRAWING])


def test_the_tile_of_a_stored_map_is_its_drawing(tmp_path):
    raw = np.zeros((2, 1, 4), dtype=np.float32)
    raw[0, 0] = [1, 0, -1, 7]
    tile = make_tile(raw, "Gradient, CCO", 64, SIGNED, drawing=DRAWING)
    assert [x for x, _ in discs(tile.svg)] == [10.0, 50.0]
    assert tile.full == pytest.approx(1)
    assert tile.png.startswith(b"\x89PNG")
    run = Run.create(tmp_path / "run")
    assert run.drawing("a" * 32) is None
    run.write_drawing("a" * 32, DRAWING)
    assert run.drawing("a" * 32) == DRAWING
    next((tmp_path / "run").rglob("*.json")).write_text("{")
    with pytest.raises(DataError, match="expected a whole drawing"):
        run.drawing("a" * 32)
