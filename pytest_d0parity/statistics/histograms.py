"""Histograms for plots.

The edges are fixed fractions of powers of two, so that a histogram fills in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .blocks import Block
from .records import Histogram

_PER_OCTAVE = 4  # bins between a power of two and the next
_OCTAVES = 16  # below the largest magnitude; smaller values share one bin with zero
_SHIFT = 52 - 2  # of the bits of a float64: keeps the exponent and two bits of the fraction, which is _PER_OCTAVE bins
_KEYS = 1 << (63 - _SHIFT)
_ENOUGH = 1 << 21  # values; of a larger array, only every so many blocks are counted


class ValueCounts:
    """Counts the values of a stream for a histogram.

    Parameters
    ----------
    size : int
        Number of values in the stream.
    """

    def __init__(self, size: int) -> None:
        self._stride = max(1, size // _ENOUGH)
        self._block = 0
        self._positive = np.zeros(_KEYS, np.int64)  # key 0 is that of zero
        self._negative = np.zeros(_KEYS, np.int64)

    def add(self, block: Block) -> None:
        """Add the next block of the first pass."""
        if self._block % self._stride == 0 and block.finite.size:
            values = block.finite.astype(np.float64)
            if block.min < 0:
                # A bin includes its lower edge, which for negative values has the larger magnitude: hence the -1.
                below = -values[values < 0]
                self._negative += np.bincount((below.view(np.int64) - 1) >> _SHIFT, minlength=_KEYS)
                values = values[values >= 0]
            values += 0.0  # makes minus zero zero
            self._positive += np.bincount(values.view(np.int64) >> _SHIFT, minlength=_KEYS)
        self._block += 1

    def histogram(self) -> Histogram | None:
        """Return the histogram of the values that were counted; None where there were none."""
        occupied = np.flatnonzero(self._positive + self._negative)
        if not occupied.size:
            return None
        if not occupied[-1]:
            return Histogram(edges=(0.0, 1.0), counts=(int(self._positive[0]),))
        floor = max(int(occupied[occupied > 0][0]), int(occupied[-1]) + 1 - _OCTAVES * _PER_OCTAVE, 1)
        around_zero = int(self._positive[:floor].sum() + self._negative[:floor].sum())
        below, above = list(_bins(self._negative, floor)), list(_bins(self._positive, floor))
        bins = [(-high, -low, count) for low, high, count in reversed(below)]
        if around_zero or (below and above):
            bins.append((-_edge(floor) if self._negative.any() else 0.0, _edge(floor), around_zero))
        bins += above
        return Histogram(edges=(bins[0][0], *(high for _, high, _ in bins)), counts=tuple(count for *_, count in bins))


def _bins(counts: NDArray[np.int64], floor: int) -> Iterator[tuple[float, float, int]]:
    """Yield lower edge, upper edge and count of the bins from `floor` to the last occupied one."""
    occupied = np.flatnonzero(counts[floor:])
    for key in range(floor, floor + int(occupied[-1]) + 1 if occupied.size else floor):
        yield _edge(key), _edge(key + 1), int(counts[key])


def _edge(key: int) -> float:
    """Return the magnitude at which the bin of a key begins."""
    edge = float(np.int64(key << _SHIFT).view(np.float64))
    return edge if edge < np.inf else float(np.finfo(np.float64).max)


def count_values(values: NDArray[np.float64]) -> Histogram | None:
    """Return the histogram of finite values in memory, of shape (n,); None where there are none."""
    counts = ValueCounts(0)
    if values.size:
        counts.add(
            Block(
                values, values, values.reshape(1, -1), values, values, values, float(values.min()), float(values.max())
            )
        )
    return counts.histogram()
