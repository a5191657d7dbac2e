"""A short vector in place of a long one, that keeps lengths and is linear.

    S(t)_j = Σ_{i ≡ j mod k} s_i t_i,    E ‖S(t)‖² = ‖t‖²,    standard deviation of ‖S(t)‖² / ‖t‖² ≤ √(2 / k) if t is spread evenly

s_i = ±1, drawn once and for all. Since S is linear, the distance of two vectors, and the length of any weighted sum of vectors, can
be told from their sketches alone. Vectors of at most k values are their own sketch.

Source: Charikar, Chen & Farach-Colton, "Finding frequent items in data streams", ICALP 2002; Thorup & Zhang, "Tabulation-based
5-independent hashing with applications to linear probing and second moment estimation", SIAM J. Comput. 2012 (lengths).
Differs from them: values go to the places in turn, not at random, so that neighbours never meet.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LENGTH = 1021
"""k, a prime, so that the rows of an image do not fall on each other; lengths of sums of squares are kept within some 4 %."""


def count_sketch(rows: Float[Tensor, "r d"]) -> Float[Tensor, "r k"]:
    """The sketch of each row, k = min(d, `LENGTH`)."""
    d = rows.shape[1]
    if d <= LENGTH:
        return rows
    signed = rows * _signs(d).to(rows)
    return F.pad(signed, (0, -d % LENGTH)).view(len(rows), -1, LENGTH).sum(1)


@lru_cache(maxsize=8)
def _signs(d: int) -> Tensor:
    return torch.randint(0, 2, (d,), generator=torch.Generator().manual_seed(0), dtype=torch.int8) * 2 - 1
