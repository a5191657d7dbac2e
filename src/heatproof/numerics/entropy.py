"""Shannon entropy of counts and of histograms, in nats.

    H = −Σ_k p_k ln p_k,    p_k = n_k / Σ n    (0 ln 0 = 0)

A histogram has equal bins from the smallest value to the greatest, the last one closed, so that H is the same for a v + b, a ≠ 0,
but for values that lie on an edge.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def entropy(counts: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """Entropy of the shares of each row; NaN for a row that counts nothing."""
    terms: Tensor = torch.special.entr(counts / counts.sum(1, keepdim=True))
    return terms.sum(1)


def histogram_entropy(values: Float[Tensor, "b n"], bins: int) -> Float[Tensor, " b"]:
    """Entropy of each row's histogram of exactly so many bins, float64; 0 for a row of equal values, at most ln `bins`.

    NaN for a row that holds a value that is not finite.
    """
    broken = ~values.isfinite().all(1)
    values = torch.where(broken[:, None], 0.0, values.double())
    low, high = values.aminmax(dim=1, keepdim=True)
    span = torch.where(high > low, high - low, 1)
    place = ((values - low) / span * bins).long().clamp_max(bins - 1)
    counts = values.new_zeros(len(values), bins)
    return entropy(counts.scatter_add_(1, place, torch.ones_like(values))).masked_fill(broken, torch.nan)
