"""Slow twin of integrated gradients to a tolerance: one image, one node at a time, in float64, from the rule's description."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tests.references.gradients import Function, gradient

FIRST_PIECES = 8
MARGIN = 3.0


def estimated_error(jumps: Sequence[Tensor]) -> float:
    """Of Σ_p a_p e_p with a_p uniform on [−√3, √3]: the root of its mean square and three standard deviations of the square."""
    mean = sum(float(e.square().sum()) for e in jumps)
    variance = sum(
        float((e * other).sum()) ** 2 * (0.8 if e is other else 2) for e in jumps for other in jumps
    )  # E a⁴ − 1 = 0.8; a pair of different pieces counts in both orders
    return (mean + MARGIN * variance**0.5) ** 0.5


def adaptive_integrated_gradients(
    f: Function, x: Tensor, baselines: Sequence[Tensor], gap: float | None, error: float | None, most: int
) -> tuple[Tensor, int]:
    """The map and the number of its nodes, all gradients being kept."""
    x, baselines = x.double(), [b.double() for b in baselines]
    n = len(baselines)
    known: dict[tuple[int, float], tuple[float, Tensor]] = {}

    def node(path: int, alpha: float) -> tuple[float, Tensor]:
        if (path, alpha) not in known:
            b = baselines[path]
            z = b + alpha * (x - b)
            known[path, alpha] = float(f(z).detach()), (x - b) * gradient(f, z)
        return known[path, alpha]

    first = min(FIRST_PIECES, most // n - 1)
    pieces = [(path, j / first, (j + 1) / first) for path in range(n) for j in range(first)]
    while True:
        total, expected_sum, gaps, jumps = x * 0, 0.0, [], []
        for path, left, right in pieces:
            (f_left, t_left), (f_right, t_right) = node(path, left), node(path, right)
            part = (right - left) / n * (t_left + t_right) / 2
            total, expected_sum = total + part, expected_sum + (f_right - f_left) / n
            gaps.append(float(part.sum()) - (f_right - f_left) / n)
            jumps.append((right - left) / n * (t_right - t_left) / 12**0.5)
        if error is not None and estimated_error(jumps) > error * float(total.norm()):
            burdens = [float(e.norm()) for e in jumps]
        elif gap is not None and abs(sum(gaps)) > gap * abs(expected_sum):
            burdens = [abs(g) for g in gaps]
        else:
            return total, len(known)
        room = min(max(1, len(pieces) // 4), most - len(known))
        if room == 0:
            return total, len(known)
        worst = torch.tensor(burdens).argsort(descending=True, stable=True)[:room].tolist()
        pieces = [
            part
            for j, (path, left, right) in enumerate(pieces)
            for part in (
                [(path, left, (left + right) / 2), (path, (left + right) / 2, right)] if j in worst else [(path, left, right)]
            )
        ]
