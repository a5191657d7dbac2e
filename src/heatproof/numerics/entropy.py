"""Shannon entropy of counts and of histograms, in nats.

    H = −Σ_k p_k ln p_k,    p_k = n_k / Σ n    (0 ln 0 = 0)

A histogram has equal bins from the smallest to the largest value, and its last bin is closed, so that the entropies of v and of a v
+ b, a ≠ 0, are equal except for values on the edge of a bin.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def entropy(counts: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """The entropy of the relative frequencies of each row of counts; NaN for a row of zeros.

    >>> import torch
    >>> from heatproof.numerics.entropy import entropy
    >>> entropy(torch.tensor([[1.0, 1.0], [5.0, 0.0]]))
    tensor([0.6931, 0.0000])
    """
    terms: Tensor = torch.special.entr(counts / counts.sum(1, keepdim=True))
    return terms.sum(1)


def histogram_entropy(values: Float[Tensor, "b n"], bins: int) -> Float[Tensor, " b"]:
    """The entropy of the histogram of each row in `bins` bins, in float64: 0 for a row of equal values, at most ln `bins`, and NaN
    for a row with a value that is not finite.

    >>> import torch
    >>> from heatproof.numerics.entropy import histogram_entropy
    >>> histogram_entropy(torch.arange(8.0).view(1, 8), bins=8).round(decimals=4)  # ln 8
    tensor([2.0794], dtype=torch.float64)
    """
    broken = ~values.isfinite().all(1)
    values = torch.where(broken[:, None], 0.0, values.double())
    low, high = values.aminmax(dim=1, keepdim=True)
    span = torch.where(high > low, high - low, 1)
    place = ((values - low) / span * bins).long().clamp_max(bins - 1)
    counts = values.new_zeros(len(values), bins)
    return entropy(counts.scatter_add_(1, place, torch.ones_like(values))).masked_fill(broken, torch.nan)
