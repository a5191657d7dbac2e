"""Slow twin of integrated gradients to a tolerance: one image, one piece at a time, in float64, from the rule's description."""

from collections.abc import Sequence

from torch import Tensor

from tests.references.gradients import Function, gradient

SIXTEENTHS = 16
FIRST_PIECES = 12


def scouted_pieces(values: Sequence[float], most: int) -> list[tuple[int, int]]:
    """Quarters of the path (all of it where fewer than 4 nodes are allowed), then halves of the one with the largest |Δf| h."""
    quarter = SIXTEENTHS // 4
    pieces = [(a, a + quarter) for a in range(0, SIXTEENTHS, quarter)] if most >= 4 else [(0, SIXTEENTHS)]
    while len(pieces) < min(FIRST_PIECES, most):
        divisible = [(a, b) for a, b in pieces if b - a > 1]
        a, b = max(divisible, key=lambda piece: abs(values[piece[1]] - values[piece[0]]) * (piece[1] - piece[0]))
        pieces.remove((a, b))
        pieces += [(a, (a + b) // 2), ((a + b) // 2, b)]
        pieces.sort()
    return pieces


def adaptive_integrated_gradients(
    f: Function, x: Tensor, baselines: Sequence[Tensor], tolerance: float, most: int
) -> tuple[Tensor, int]:
    """The map and the number of gradients taken."""
    x, baselines = x.double(), [b.double() for b in baselines]
    n = len(baselines)
    scouts = [[float(f(b + j / SIXTEENTHS * (x - b)).detach()) for j in range(SIXTEENTHS + 1)] for b in baselines]
    claim = abs(sum(values[-1] - values[0] for values in scouts) / n)
    waiting = [
        (path, a / SIXTEENTHS, b / SIXTEENTHS, scouts[path][a], scouts[path][b])
        for path in range(n)
        for a, b in scouted_pieces(scouts[path], most // n)
    ]
    settled_map, settled_gap, settled, used = x * 0, 0.0, 0, 0
    while True:
        pieces = settled + len(waiting)
        open_map, open_gap, halves = x * 0, 0.0, []
        for path, left, right, f_left, f_right in waiting:
            b, middle = baselines[path], (left + right) / 2
            z = b + middle * (x - b)
            share = (x - b) * (right - left) / n * gradient(f, z)
            gap = float(share.sum()) - (f_right - f_left) / n
            used += 1
            if abs(gap) <= tolerance * claim / pieces**0.5 and abs(settled_gap + gap) <= tolerance * claim / 2:
                settled_map, settled_gap, settled = settled_map + share, settled_gap + gap, settled + 1
            else:
                f_middle = float(f(z).detach())
                open_map, open_gap = open_map + share, open_gap + gap
                halves += [(path, left, middle, f_left, f_middle), (path, middle, right, f_middle, f_right)]
        if abs(settled_gap + open_gap) <= tolerance * claim or used + len(halves) > most:
            return settled_map + open_map, used
        waiting = halves
