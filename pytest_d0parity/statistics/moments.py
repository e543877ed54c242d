"""Sums, means and standard deviations that are the same to the last bit on every machine.

The order of the additions depends on the shape of the data alone, not on the size of the pieces that are
read, the processor's vector width or the NumPy version. A row is first added up into a fixed number of
partial sums, which are then added pairwise. The moments of blocks are merged pairwise as well, by the
update formula of Chan, Golub and LeVeque (1979), so that the variance never comes from E[x²] - E[x]².
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHORT = 64  # up to this length plain Python is faster than NumPy
_LARGEST_SQUARED = 1e140  # larger numbers have sums of squares beyond all floats
_PARTIAL_SUMS = (256, 32)  # side by side in a row: first many, which vectorises well, then few


def pairwise_sum(values: NDArray[np.float64]) -> Any:
    """Sum over the first axis by adding its second half to its first, again and again.

    The rounding error grows with the logarithm of the length.
    """
    if len(values) == 0:
        return np.zeros(values.shape[1:])
    if values.ndim == 1 and len(values) <= _SHORT:
        return _pairwise_sum_of_list(values.tolist())
    while (length := len(values)) > 1:
        half = length // 2
        sums = values[:half] + values[half : 2 * half]
        if length % 2:
            sums[0] += values[-1]
        values = sums
    return values[0]


def _pairwise_sum_of_list(values: list[float]) -> float:
    while (length := len(values)) > 1:
        half = length // 2
        sums = list(map(add, values, values[half : 2 * half]))  # as many as the shorter one has
        if length % 2:
            sums[0] += values[-1]
        values = sums
    return values[0]


def row_sums(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum each row of a matrix of shape (m, n); the result has shape (m,)."""
    for width in _PARTIAL_SUMS:
        count, length = rows.shape
        whole = length // width * width
        if whole > width:
            # Over an axis that is not the innermost one, NumPy adds one row after the other on every machine.
            sums = np.add.reduce(rows[:, :whole].reshape(count, -1, width), axis=1)
            if whole < length:
                sums[:, : length - whole] += rows[:, whole:]
            rows = sums
    if len(rows) == 1:
        return np.array([pairwise_sum(rows[0])])
    return np.asarray(pairwise_sum(np.ascontiguousarray(rows.T)))  # a copy of few values, of which halves add up faster


@dataclass(frozen=True)
class Moments:
    """Count, sum, and sum of the squared deviations from the mean of some values."""

    count: int
    total: float
    squared_deviations: float

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return self.total / self.count

    @classmethod
    def of(
        cls, rows: NDArray[np.float64], sums: NDArray[np.float64], non_finite: NDArray[np.float64] | None
    ) -> tuple[Moments, NDArray[np.float64]] | None:
        """Compute the moments of a block, and the sum of the squared deviations of each row from the block's mean.

        Parameters
        ----------
        rows : (m, n) ndarray of float64
            The values, zero where there is none. This array is overwritten.
        sums : (m,) ndarray of float64
            Sums of the rows.
        non_finite : (m, n) ndarray of float64, or None
            One where there is no value, else zero; None when there is a value everywhere.

        Returns
        -------
        (Moments, (m,) ndarray of float64) or None
            None where the block has no value at all.
        """
        count = rows.size if non_finite is None else rows.size - int(non_finite.sum())
        if not count:
            return None
        total = float(pairwise_sum(sums))
        rows -= total / count
        if non_finite is not None:
            rows *= 1.0 - non_finite
        rows *= rows
        deviations = row_sums(rows)
        return cls(count, total, float(pairwise_sum(deviations))), deviations

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of values together."""
        count = self.count + other.count
        difference = other.mean - self.mean
        between = difference * difference * (self.count / count) * other.count
        squared_deviations = self.squared_deviations + other.squared_deviations + between
        return Moments(count, self.total + other.total, squared_deviations)


class MomentsTree:
    """Merges the moments of blocks pairwise, in a balanced tree that grows with the stream.

    Level k holds the moments of 2**k blocks, or None: adding a block works like adding one to a binary
    counter.
    """

    def __init__(self) -> None:
        self._levels: list[Moments | None] = []

    def add(self, moments: Moments) -> None:
        """Add the moments of the next block."""
        for level, waiting in enumerate(self._levels):
            if waiting is None:
                self._levels[level] = moments
                return
            moments = waiting.merge(moments)
            self._levels[level] = None
        self._levels.append(moments)

    def root(self) -> Moments:
        """Return the moments of all blocks; at least one must have been added."""
        first, *rest = (waiting for waiting in self._levels if waiting is not None)
        for waiting in rest:
            first = waiting.merge(first)
        return first


def sample_deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation (n - 1) of finite numbers, the same on every machine.

    Infinity where it is larger than every float.
    """
    if min(values) == max(values):
        return 0.0
    largest = max(map(abs, values))
    # By a power of two, which changes no digit, where squares would be beyond all floats, or below.
    power = 0 if 1 / _LARGEST_SQUARED < largest < _LARGEST_SQUARED else math.frexp(largest)[1]
    scaled = [math.ldexp(value, -power) for value in values]
    mean = math.fsum(scaled) / len(values)  # sums that are rounded once are the same on every machine
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in scaled) / (len(values) - 1))
    try:
        return math.ldexp(deviation, power)
    except OverflowError:
        return math.inf
