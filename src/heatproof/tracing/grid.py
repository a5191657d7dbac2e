"""How the activation of a layer is read as a grid of positions: `[b, c, h, w]` of images, `[b, c, t]` of signals and
`[b, c, d, h, w]` of volumes.

    b c h w   as it stands, as after a convolution
    b h w c   with channels last, as in Swin
    b n c     tokens: n positions row by row, after leading tokens (class, distillation, registers)
    b c n     positions row by row, after the channels

What made a tensor decides how it is read (see `axis_rules.py`); any other order of these axes is read as well. Only where an
operation that nothing is known of made it, its shape decides: h : w must be the ratio of the image. Shapes may fit two readings.
Of signals, n are the times; tokens of a volume are read as no grid.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import prod
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from heatproof.tracing.axes import OUT_OF_ORDER, POSITIONS, UNKNOWN, Axes, Axis, Tokens, counts, is_positional, tokens_of

Layout = Literal["b c h w", "b h w c", "b n c", "b c n"]
"""The order of the axes of a layer's output; n are positions row by row."""
LEADING = (0, 1, 2, 5)
"""Numbers of tokens before those of the positions, where shapes decide: none; class; class and distillation; class and four
registers."""


class Grid(NamedTuple):
    """How a tensor is read as `[b, c, h, w]`, or of a signal `[b, c, t]`, or of a volume `[b, c, d, h, w]`.

    Attributes:
        layout: The meaning of its axes: b, c, d, h (of a signal, the time), w, n for positions row by row, 1 for a length of 1.
        h: Height of the grid; of a signal, its length.
        w: Width of the grid.
        leading: Number of tokens before those of the positions.
        depth: Depth of the grid of a volume.
        dimensions: Number of axes of positions: 1 of a signal, 2 of an image, 3 of a volume.
    """

    layout: str
    h: int
    w: int
    leading: int = 0
    depth: int = 1
    dimensions: int = 2

    @property
    def space(self) -> tuple[int, ...]:
        """The number of positions along each axis."""
        return (self.depth, self.h, self.w)[3 - self.dimensions :] if self.dimensions > 1 else (self.h,)

    def of(self, activation: Tensor) -> Float[Tensor, "b c *space"]:
        """The activation on its grid; a view, so that writing to it writes to the activation."""
        letters = self.layout.split()
        order = sorted(range(len(letters)), key=lambda axis: "bcdhwn1".index(letters[axis]))
        moved = activation.permute(order)
        moved = moved if "c" in letters else moved.unsqueeze(1)
        if "n" in letters:
            moved = moved.narrow(2, self.leading, self.h * self.w)
        return moved.view(*moved.shape[:2], *self.space)

    def channels(self, shape: Sequence[int]) -> int:
        """The number of channels of a tensor of that shape."""
        letters = self.layout.split()
        return shape[letters.index("c")] if "c" in letters else 1


def readings(
    axes: Axes, shape: Sequence[int], rows: int, space: tuple[int, ...], seen: Mapping[int, Tokens], layout: Layout | None = None
) -> list[Grid]:
    """All grids as which a tensor may be read; of more than one, nothing decides.

    Args:
        axes: What is known of its axes.
        shape: Its shape.
        rows: The number of images.
        space: Height and width of the images; length of signals; depth, height and width of volumes.
        seen: The tokens of axes elsewhere in the network, by length.
        layout: The order of the axes, where the caller gives it.
    """
    if layout is not None:
        letters = layout.split()
        fitting = [letters] if len(letters) == len(shape) and shape[0] == rows else []
    else:
        fitting = _completed([_letter(axis) for axis in axes], shape, rows, len(space))
    asked = len(fitting) > 1
    found = [_grid(letters, axes, shape, space, seen, asked) for letters in fitting]
    return [grid for grid in found if grid is not None and prod(grid.space) > 1]


def _letter(axis: Axis) -> str:
    if not axis:
        return "1"
    for letter in ("b", "c", UNKNOWN):
        if counts(axis, letter):
            return letter
    if not is_positional(axis):
        return OUT_OF_ORDER
    return "n" if tokens_of(axis) is not None else str(axis[0].of)


def _completed(letters: list[str], shape: Sequence[int], rows: int, dimensions: int) -> list[list[str]]:
    """All ways to name the unknown axes so that the tensor has a batch, channels and positions."""
    if "b" not in letters and letters and letters[0] in (UNKNOWN, "1") and shape[0] == rows:
        letters = ["b", *letters[1:]]
    if "b" not in letters and rows == 1 and "1" in letters:
        letters = _replaced(letters, letters.index("1"), "b")
    if "c" not in letters and "1" in letters and UNKNOWN not in letters:
        letters = _replaced(letters, letters.index("1"), "c")
    open_ = [axis for axis, letter in enumerate(letters) if letter == UNKNOWN]
    found = []
    guesses = {1: "cn", 2: "chwn" if len(letters) == 3 else "chw", 3: "c"}[dimensions]
    for names in permutations(guesses, len(open_)):
        named = list(letters)
        for axis, name in zip(open_, names, strict=True):
            named[axis] = name
        if _is_layout(named, open_, dimensions):
            found.append(named)
    return found


def _replaced(letters: list[str], axis: int, letter: str) -> list[str]:
    return [*letters[:axis], letter, *letters[axis + 1 :]]


def _is_layout(named: list[str], open_: list[int], dimensions: int) -> bool:
    """Whether axes are one batch, one of channels, and positions; unknown ones keep the order h, w, the channels beside them."""
    content = sorted(letter for letter in named if letter != "1")
    if dimensions != 2 and "n" not in content:
        places = [letter for letter in content if letter in POSITIONS]
        others = [letter for letter in content if letter not in POSITIONS]
        return others in (["b"], ["b", "c"]) and 0 < len(places) == len(set(places)) <= dimensions
    if content in (["b", "h", "w"], ["b", "n"]) and not open_:
        return True
    one_row = content in (["b", "c", "h"], ["b", "c", "w"]) and not any(named[axis] in "hw" for axis in open_)
    if not one_row and content not in (["b", "c", "h", "w"], ["b", "c", "n"]):
        return False
    guessed = "".join(named[axis] for axis in open_)
    return "hcw" not in guessed and not 0 <= guessed.find("w") < guessed.find("h")


def _grid(
    letters: list[str], axes: Axes, shape: Sequence[int], space: tuple[int, ...], seen: Mapping[int, Tokens], asked: bool
) -> Grid | None:
    """The grid of a tensor with such axes, or None; if another reading competes, its shape must have the ratio of the image."""
    layout = " ".join(letters)
    if "n" in letters:
        axis = letters.index("n")
        if len(space) != 2:
            return Grid(layout, shape[axis], 1, dimensions=1) if len(space) == 1 else None
        tokens = tokens_of(axes[axis]) or seen.get(shape[axis]) or fitting_tokens(shape[axis], (space[0], space[1]))
        return None if tokens is None else Grid(layout, tokens.h, tokens.w, tokens.before)
    d, h, w = (shape[letters.index(letter)] if letter in letters else 1 for letter in POSITIONS)
    ruled_out = asked and len(space) == 2 and not same_ratio((h, w), (space[0], space[1]))
    return None if ruled_out else Grid(layout, h, w, depth=d, dimensions=len(space))


def fitting_tokens(n: int, space: tuple[int, int]) -> Tokens | None:
    """The grid of n tokens with the ratio nearest to that of the image, after as few leading tokens as possible, if any fits."""
    found = [
        (abs(h * space[1] - cells // h * space[0]), leading, h, cells // h)
        for leading in LEADING
        for cells in [n - leading]
        for h in range(1, cells + 1)
        if cells > 1 and cells % h == 0 and same_ratio((h, cells // h), space)
    ]
    if not found:
        return None
    _, leading, h, w = min(found)
    return Tokens(h, w, leading)


def same_ratio(grid: tuple[int, int], space: tuple[int, int]) -> bool:
    """Whether height : width is that of the image, up to rounding to whole cells."""
    (h, w), (height, width) = grid, space
    return abs(h * width - w * height) < max(height, width)
