"""Maps of signals and tables as small pictures: areas above and below a line in the middle, one band for each channel or input."""

import numpy as np

from heatproof.core.formatting import percent, significant
from heatproof.pictures.colors import Floats, Pixels

LISTED = 3
"""The number of inputs of a table that a description names."""


def areas(shares: Floats, height: int) -> Floats:
    """Areas of values in [−1, 1], [c, t] → [c · height, t]: each place between the middle of a band and the value holds the value.

    >>> import numpy as np
    >>> from heatproof.pictures.areas import areas
    >>> areas(np.array([[1.0, -0.5, 0.0]]), 4).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, -0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    middles = (np.arange(height)[::-1] + 0.5) / height * 2 - 1
    inside = np.abs(middles)[None, :, None] <= np.abs(shares)[:, None, :]
    same_side = np.sign(middles)[None, :, None] == np.sign(shares)[:, None, :]
    return np.where(inside & same_side, shares[:, None, :], 0.0).reshape(-1, shares.shape[1])


def lines(signal: Floats, height: int, width: int) -> Pixels:
    """The channels of a signal [c, t] as black lines on white, one band of pixels for each, uint8 [c · height, width].

    >>> import numpy as np
    >>> from heatproof.pictures.areas import lines
    >>> (lines(np.array([[0.0, 1.0]]), 2, 2) == 0).tolist()
    [[True, True], [True, False]]
    """
    t = signal.shape[1]
    channels = np.nan_to_num(signal, nan=0.0, posinf=0.0, neginf=0.0)
    finite = np.stack([np.interp(np.linspace(0, t - 1, width), np.arange(t), channel) for channel in channels])
    low, high = finite.min(axis=1, keepdims=True), finite.max(axis=1, keepdims=True)
    rows = np.round((high - finite) / np.where(high > low, high - low, 1.0) * (height - 1))
    after = np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1)
    top, bottom = np.minimum(rows, after)[:, None, :], np.maximum(rows, after)[:, None, :]
    at = np.arange(height)[None, :, None]
    return np.where((at >= top) & (at <= bottom), 0, 255).astype(np.uint8).reshape(-1, width)


def describe_places(values: Floats, what: str) -> str:
    """A description of the map of a table [f] or of a signal [c, t] in words."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    size = np.abs(values)
    if not size.sum():
        return f"{what}: zero everywhere."
    if values.ndim == 1:
        largest = np.argsort(-size, kind="stable")[:LISTED]
        listed = ", ".join(f"input {i} ({'+' if values[i] > 0 else ''}{significant(float(values[i]))})" for i in largest)
        return f"{what}: the largest values are {listed}."
    centre = float(size.sum(axis=0) @ np.arange(values.shape[1])) / float(size.sum()) / max(values.shape[1] - 1, 1)
    positive = float(np.maximum(values, 0).sum() / size.sum())
    return f"{what}: {percent(positive)} of the weight is positive; its centre is at {percent(centre)} of the length."
