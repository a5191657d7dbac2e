"""Slow twin of integrated gradients to a tolerance: one image, one node at a time, in float64, from the rule's description."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tests.references.gradients import Function, gradient

FIRST_PIECES = 8


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
        total, expected_sum, gaps, errors = x * 0, 0.0, [], []
        for path, left, right in pieces:
            (f_left, t_left), (f_right, t_right) = node(path, left), node(path, right)
            part = (right - left) / n * (t_left + t_right) / 2
            total, expected_sum = total + part, expected_sum + (f_right - f_left) / n
            gaps.append(float(part.sum()) - (f_right - f_left) / n)
            errors.append((right - left) / n * float((t_right - t_left).square().sum() / 12) ** 0.5)
        if error is not None and sum(e**2 for e in errors) > (error * float(total.norm())) ** 2:
            burdens = errors
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
