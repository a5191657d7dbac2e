"""Slow twins of likenesses between maps and within one: pairs of pixels in loops, float64."""

import math

from numpy import ndarray


def cosine(a: ndarray, b: ndarray) -> float:
    dot, first, second = (sum(float(x) * float(y) for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (a, a), (b, b)))
    return dot / math.sqrt(first * second)


def kendall(a: ndarray, b: ndarray, variant: str = "b") -> float:
    """Kendall 1938 (a) and 1945 (b), Stuart 1953 (c): (concordant − discordant) / what it could be."""
    agree = untied_a = untied_b = pairs = 0
    for i in range(len(a)):
        for j in range(i):
            first, second = sign(a[i] - a[j]), sign(b[i] - b[j])
            agree += first * second
            untied_a, untied_b, pairs = untied_a + abs(first), untied_b + abs(second), pairs + 1
    fewest = min(len(set(a.tolist())), len(set(b.tolist())))
    most = {"a": pairs, "b": math.sqrt(untied_a * untied_b), "c": len(a) ** 2 * (fewest - 1) / fewest / 2}
    return agree / most[variant]


def sign(x: float) -> int:
    return int(x > 0) - int(x < 0)


def sign_changes(a: ndarray) -> float:
    opposite = total = 0.0
    height, width = a.shape
    for i in range(height):
        for j in range(width):
            for k, m in ((i + 1, j), (i, j + 1)):
                if k < height and m < width:
                    weight = min(abs(a[i, j]), abs(a[k, m]))
                    total += weight
                    opposite += weight if a[i, j] * a[k, m] < 0 else 0.0
    return opposite / total
