"""The colours of a map: red is positive, blue negative and white zero, in shares of the value that full colour stands for.

    full colour   q, the 99.5th percentile of |A|, or the maximum of |A| if that percentile is 0
    share         s = A / q, clipped to [−1, 1]
    heatmap       the colour of s on the scale RdBu
    overlay       (1 − a) · grey photograph + a · red or blue, with the opacity a = |s|

RdBu is told apart by readers with every common colour vision deficiency. In an overlay the opacity carries the magnitude, so that
the photograph is seen wherever the map is small; it is grey, because its own reds and blues would be read as parts of the map.

Source of RdBu: Brewer, ColorBrewer 2.0, 2013 (diverging, 11 classes).
"""

from typing import Any

import numpy as np

from heatproof.core.errors import TensorError

Floats = np.ndarray[Any, np.dtype[np.float64]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]

PERCENTILE = 99.5
STEPS = 127
"""The number of colours on either side of the middle of `palette`."""
_RDBU = "053061 2166ac 4393c3 92c5de d1e5f0 ffffff fddbc7 f4a582 d6604d b2182b 67001f"
_ANCHORS = np.array([[int(color[i : i + 2], 16) for i in (0, 2, 4)] for color in _RDBU.split()], dtype=np.float64)
POSITIVE, NEGATIVE = "#d7191c", "#1a5fd0"
"""The two colours of an overlay and of bars."""
_STRONG = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (NEGATIVE, POSITIVE)], dtype=np.float64)
_OPAQUE, _FADE = 0.85, 0.7


def full_color(values: Floats) -> float:
    """The value of full colour: the 99.5th percentile of |A|, or the maximum of |A| if that percentile is 0.

    Values that are not finite are left out.
    """
    size = np.abs(values[np.isfinite(values)])
    return float((np.percentile(size, PERCENTILE) if size.size else 0.0) or size.max(initial=0.0))


def shares_of(values: Floats, full: float) -> Floats:
    """The values as shares of full colour in [−1, 1]; 0 where they are not finite or full colour is 0."""
    if full == 0:
        return np.zeros_like(values)
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=full, neginf=-full) / full, -1, 1)


def diverging(shares: Floats) -> Pixels:
    """The colours of shares in [−1, 1] from blue over white to red, uint8 [..., 3].

    >>> import numpy as np
    >>> from heatproof.pictures.colors import diverging
    >>> diverging(np.array([-1.0, 0.0, 1.0])).tolist()
    [[5, 48, 97], [255, 255, 255], [103, 0, 31]]
    """
    ends = np.linspace(-1, 1, len(_ANCHORS))
    return np.round(np.stack([np.interp(shares, ends, channel) for channel in _ANCHORS.T], axis=-1)).astype(np.uint8)


def palette(steps: int = STEPS) -> Pixels:
    """The colours of `diverging` from −1 to 1, uint8 [2 steps + 1, 3]; the middle is pure white."""
    return diverging(np.linspace(-1, 1, 2 * steps + 1))


def overlay(image: Pixels, shares: Floats) -> Pixels:
    """The map over its photograph, uint8 [h, w, 3].

    Args:
        image: the photograph, uint8 [h, w] or [h, w, 3].
        shares: the map as shares of full colour, [h, w].

    Raises:
        TensorError: The photograph and the map differ in size.

    >>> import numpy as np
    >>> from heatproof.pictures.colors import overlay
    >>> overlay(np.zeros((1, 2, 3), dtype=np.uint8), np.array([[0.0, 1.0]]))[0].tolist()
    [[76, 76, 76], [194, 33, 35]]
    """
    if image.shape[:2] != shares.shape:
        raise TensorError(
            f"image: expected {shares.shape[1]} × {shares.shape[0]} pixels, as its map, got {image.shape[1]} × {image.shape[0]}; "
            "give the square that the network saw, as model.preprocessing.crop(photograph) returns it"
        )
    light = image.astype(np.float64) if image.ndim == 2 else image[..., :3] @ np.array([0.299, 0.587, 0.114])
    faded = (255 - _FADE * (255 - light))[..., None]
    opacity = _OPAQUE * np.abs(shares)[..., None]
    blended = (1 - opacity) * faded + opacity * _STRONG[(shares > 0).astype(int)]
    return np.asarray(np.round(blended), dtype=np.uint8)


def describe(values: Floats, what: str) -> str:
    """A description of a map [h, w] in words: its sign, its concentration and the centre of its absolute values."""
    size = np.abs(values)
    total = size.sum()
    if total == 0:
        return f"{what}: zero everywhere."
    flat = np.sort(size, axis=None)[::-1]
    top = flat[: max(1, flat.size // 10)].sum() / total
    height, width = values.shape
    y, x = (
        (size.sum(axis=1) @ np.arange(height)) / total / max(height - 1, 1),
        (size.sum(axis=0) @ np.arange(width)) / total / max(width - 1, 1),
    )
    positive = np.maximum(values, 0).sum() / total
    return (
        f"{what}: {positive:.0%} of the weight is positive; the strongest tenth of the pixels holds {top:.0%} of it; "
        f"its centre is at {x:.0%} from the left and {y:.0%} from the top."
    )
