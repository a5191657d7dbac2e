"""Ranks: 1 for the smallest value, and the mean of their ranks for values that are equal."""

import numpy as np

from heatproof.stats.bootstrap import Floats


def average_ranks(values: Floats) -> Floats:
    """The ranks of the values along the last axis.

    NaN ranks last, and equal NaN share no rank.

    >>> import numpy as np
    >>> from heatproof.stats.average_ranks import average_ranks
    >>> average_ranks(np.array([[0.2, 0.1, 0.2, 0.4]])).tolist()
    [[2.5, 1.0, 2.5, 4.0]]
    """
    n = values.shape[-1]
    if not values.size:
        return values.copy()
    rows = values.reshape(-1, n)
    order = np.argsort(rows, axis=1, kind="stable")
    in_order = np.take_along_axis(rows, order, axis=1)
    new = np.concatenate([np.ones((len(rows), 1), dtype=bool), in_order[:, 1:] != in_order[:, :-1]], axis=1)
    # of each run of equal values, the first place and the last
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    ends = np.concatenate([new[:, 1:], np.ones((len(rows), 1), dtype=bool)], axis=1)
    last = np.minimum.accumulate(np.where(ends, place, n)[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(rows.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, axis=1)
    return found.reshape(values.shape)
