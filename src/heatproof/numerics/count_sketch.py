"""The count sketch: a short vector that is linear in a long one and keeps its length in expectation.

    S(t)_j = Σ_{i ≡ j mod k} s_i t_i,    E ‖S(t)‖² = ‖t‖²,    standard deviation of ‖S(t)‖² / ‖t‖² ≤ √(2 / k) if t is spread evenly

The signs s_i = ±1 are drawn once and for all. Since S is linear, the distance of two vectors and the length of any weighted sum of
vectors can be estimated from their sketches alone. A vector of at most k values is its own sketch.

Source: Charikar, Chen & Farach-Colton, "Finding frequent items in data streams", ICALP 2002; Thorup & Zhang, "Tabulation-based
5-independent hashing with applications to linear probing and second moment estimation", SIAM J. Comput. 2012 (lengths). Differs
from them: values are assigned to the k sums in turn, not at random, so that neighbouring pixels are never added.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LENGTH = 1021
"""k, a prime, so that the pixels of a column are spread over the sums; the lengths of the sums of squares are accurate to about 4
%.
"""


def count_sketch(rows: Float[Tensor, "r d"]) -> Float[Tensor, "r k"]:
    """The sketch of each vector, k = min(d, `LENGTH`).

    >>> import torch
    >>> from heatproof.numerics.count_sketch import count_sketch
    >>> long = torch.linspace(-1, 1, 2 * 50_000).view(2, 50_000)
    >>> count_sketch(long).shape, count_sketch(long[:, :784]).shape
    (torch.Size([2, 1021]), torch.Size([2, 784]))
    """
    d = rows.shape[1]
    if d <= LENGTH:
        return rows
    signed = rows * _signs(d).to(rows)
    return F.pad(signed, (0, -d % LENGTH)).view(len(rows), -1, LENGTH).sum(1)


@lru_cache(maxsize=8)
def _signs(d: int) -> Tensor:
    return torch.randint(0, 2, (d,), generator=torch.Generator().manual_seed(0), dtype=torch.int8) * 2 - 1
