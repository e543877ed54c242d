"""The different values of an array.

`numpy.unique` tells them as well, but takes longer, and imports `numpy.ma` first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def count_levels(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the different values of an array of shape (n,) in ascending order, and how often each occurs."""
    ascending = np.sort(values)
    starts = np.flatnonzero(_is_new(ascending))
    return ascending.take(starts), np.diff(starts, append=ascending.size)


def find_levels(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the different values of an array of shape (n,) in ascending order, and for each element its place."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    is_new = _is_new(ascending)
    places = np.empty(len(values), np.intp)
    places[order] = np.cumsum(is_new) - 1
    return ascending.compress(is_new), places


def _is_new(ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether each value differs from the one before."""
    is_new = np.empty(ascending.shape, np.bool_)
    is_new[:1] = True
    np.not_equal(ascending[1:], ascending[:-1], out=is_new[1:])
    return is_new
