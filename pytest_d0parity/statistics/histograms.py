"""Histograms for the eye: a few bins whose edges do not depend on the data, so that they fill in one pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .blocks import Block
from .records import Histogram

_PER_OCTAVE = 4  # bins between a power of two and the next
_OCTAVES = 16  # below the largest magnitude; what is smaller still shares one bin with zero
_SHIFT = 52 - 2  # keeps sign, exponent and the first two bits of the fraction: _PER_OCTAVE bins
_KEYS = 1 << (63 - _SHIFT)
_ENOUGH = 1 << 21  # values: of a larger array, whole blocks at even distances are counted


class ValueCounts:
    """Counts the values of a stream for a histogram.

    Parameters
    ----------
    size : int
        Number of values in the stream.
    """

    def __init__(self, size: int) -> None:
        self._stride = max(1, size // _ENOUGH)
        self._at = 0
        self._positive = np.zeros(_KEYS, np.int64)  # at 0: zero itself
        self._negative = np.zeros(_KEYS, np.int64)

    def add(self, block: Block) -> None:
        """Take the next block of the first pass."""
        if self._at % self._stride == 0 and block.finite.size:
            wide = block.finite.astype(np.float64)
            if block.low < 0:
                # A bin begins with its lower edge, which of a negative one is that of the larger magnitude.
                below = -wide[wide < 0]
                self._negative += np.bincount((below.view(np.int64) - 1) >> _SHIFT, minlength=_KEYS)
                wide = wide[wide >= 0]
            wide += 0.0  # a minus before zero is none
            self._positive += np.bincount(wide.view(np.int64) >> _SHIFT, minlength=_KEYS)
        self._at += 1

    def histogram(self) -> Histogram | None:
        """Give the histogram of what was counted; None where there was nothing."""
        occupied = np.flatnonzero(self._positive + self._negative)
        if not occupied.size:
            return None
        if not occupied[-1]:
            return Histogram(edges=(0.0, 1.0), counts=(int(self._positive[0]),))
        floor = max(int(occupied[occupied > 0][0]), int(occupied[-1]) + 1 - _OCTAVES * _PER_OCTAVE, 1)
        near = int(self._positive[:floor].sum() + self._negative[:floor].sum())
        below, above = list(_bins(self._negative, floor)), list(_bins(self._positive, floor))
        bins = [(-high, -low, count) for low, high, count in reversed(below)]
        if near or (below and above):
            bins.append((-_edge(floor) if self._negative.any() else 0.0, _edge(floor), near))
        bins += above
        return Histogram(edges=(bins[0][0], *(high for _, high, _ in bins)), counts=tuple(count for *_, count in bins))


def _bins(counts: NDArray[np.int64], floor: int) -> Iterator[tuple[float, float, int]]:
    occupied = np.flatnonzero(counts[floor:])
    for key in range(floor, floor + int(occupied[-1]) + 1 if occupied.size else floor):
        yield _edge(key), _edge(key + 1), int(counts[key])


def _edge(key: int) -> float:
    edge = float(np.int64(key << _SHIFT).view(np.float64))
    return edge if edge < np.inf else float(np.finfo(np.float64).max)


def count_values(values: NDArray[np.float64]) -> Histogram | None:
    """Give the histogram of some finite values in memory."""
    counts = ValueCounts(0)
    if values.size:
        counts.add(Block(values, values.reshape(1, -1), values, float(values.min()), float(values.max()), None))
    return counts.histogram()
