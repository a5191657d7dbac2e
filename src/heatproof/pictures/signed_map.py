"""What a figure shows of a map: the sum over its channels, and nothing where that is rounding of zero.

Every map is drawn on its own scale, so that rounding errors alone would be drawn at full colour. Two kinds are recognised:

    |Σ_c A_c| ≤ ρ Σ_c |A_c|     the channels of a pixel cancel up to the rounding ρ of the values: that pixel is 0
    Σ |A| ≤ ε |f|               the whole map is less than the rounding ε = 2⁻²³ of the explained score f: the map is 0

The second compares what a map adds up to with the smallest change that float32 resolves in the score. A map in units of the score
that is smaller than this says nothing about it; nor does a gradient, whose values are changes of the score per unit of the input.
"""

import math
from typing import Any

import numpy as np

from heatproof.pictures.colors import Floats

FLOAT32 = 2.0**-23
"""The relative rounding of values in float32."""
STORED = 2.0**-11
"""The relative rounding of values in a run's folder, which are stored in float16 relative to the largest."""


def signed_map(values: "np.ndarray[Any, Any]", rounding: float, score: float = math.nan) -> Floats:
    """The sum [h, w] of a map [c, h, w] over its channels; 0 where it is not finite or is rounding of zero.

    Args:
        values: the map.
        rounding: the relative rounding of its values, `FLOAT32` or `STORED`.
        score: the explained score of the image; NaN if it is not known, and the map then is not compared with it.

    >>> import numpy as np
    >>> from heatproof.pictures.signed_map import FLOAT32, signed_map
    >>> values = np.array([[[1.0, 1.0]], [[-3.0, -1.0 + 1e-9]]])
    >>> signed_map(values, FLOAT32).tolist(), signed_map(1e-12 * values, FLOAT32, score=8.0).tolist()
    ([[-2.0, 0.0]], [[0.0, 0.0]])
    """
    wide = np.asarray(values, dtype=np.float64)
    summed, size = wide.sum(axis=0), np.abs(wide).sum(axis=0)
    kept = np.isfinite(summed) & (np.abs(summed) > rounding * size)
    if np.isfinite(score) and size[np.isfinite(size)].sum() <= FLOAT32 * abs(score):
        return np.zeros_like(summed)
    return np.where(kept, summed, 0.0)
