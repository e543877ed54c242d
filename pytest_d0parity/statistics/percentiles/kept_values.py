"""The values of a stream that are chosen and kept, in bounded memory and in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 0.7  # of eight values in a row, the share that has to have a chosen one for all values to be looked at


def choose(values: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the values that are chosen.

    Where few are, NumPy is slow, since the processor guesses wrong at each of them: drop those first of which eight in
    a row are not.
    """
    if values.size % 8 == 0:
        eights = chosen.view(np.uint64)
        places = np.flatnonzero(eights != 0)
        if places.size < _FEW * eights.size:
            return values.reshape(-1, 8).take(places, axis=0).reshape(-1).compress(eights.take(places).view(np.bool_))
    return values.compress(chosen)


class KeptValues:
    """Values in one array, which is sorted in place: many small ones would scatter over the memory.

    Parameters
    ----------
    capacity : int
        Room for so many values is made at once; what is not used of it takes no memory on most systems.
    """

    def __init__(self, capacity: int) -> None:
        self._array: NDArray[Any] = np.empty(0)
        self._capacity = capacity
        self._sorted = 0  # values at the beginning that are in order
        self.size = 0

    def add(self, values: NDArray[Any]) -> None:
        """Add values of shape (n,), always of the same dtype."""
        end = self.size + values.size
        if end > self._array.size:
            larger = np.empty(max(self._capacity, 2 * end), values.dtype)
            larger[: self.size] = self._array[: self.size]
            self._array = larger
        self._array[self.size : end] = values
        self.size = end

    def ascending(self) -> NDArray[Any]:
        """Return all values, sorted, as long as none is added."""
        values = self._array[: self.size]
        if self._sorted < self.size:
            values.sort()
            self._sorted = self.size
        return values

    def drop_all_but(self, parts: Iterable[slice]) -> None:
        """Keep only these parts of the sorted values."""
        values, size = self.ascending(), 0
        for part in parts:
            end = size + part.stop - part.start
            values[size:end] = values[part]
            size = end
        self.size = self._sorted = size
