"""Sums, means and spreads that are the same to the last bit on every machine.

The order of additions depends on the shape alone, not on the reader's pieces, the processor's vector
width or the NumPy version: a row is added up lane by lane, then the lanes by halves. Blocks are merged
two by two (Chan, Golub and LeVeque 1979), so the spread never comes from E[x²] - m².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]

_FEW = 64  # numbers that Python itself adds up sooner than NumPy begins to
_LANES = (256, 32)  # running sums side by side, first many of them, as vectors like it, then few


def fold(values: Wide) -> Any:
    """Sum over the first axis by adding halves: the rounding error grows with the logarithm of the length."""
    if len(values) == 0:
        return np.zeros(values.shape[1:])
    if values.ndim == 1 and len(values) <= _FEW:
        return _fold_few(values.tolist())
    while (length := len(values)) > 1:
        half = length // 2
        folded = values[:half] + values[half : 2 * half]
        if length % 2:
            folded[0] += values[-1]
        values = folded
    return values[0]


def _fold_few(values: list[float]) -> float:
    while (length := len(values)) > 1:
        half = length // 2
        folded = [first + second for first, second in zip(values, values[half : 2 * half], strict=False)]
        if length % 2:
            folded[0] += values[-1]
        values = folded
    return values[0]


def fold_rows(rows: Wide) -> Wide:
    """Sum each row of a matrix: lane by lane, and then the lanes by halves.

    Parameters
    ----------
    rows : (m, n) ndarray of float64

    Returns
    -------
    (m,) ndarray of float64
    """
    for lanes in _LANES:
        count, width = rows.shape
        whole = width // lanes * lanes
        if whole > lanes:
            # Over an axis that is not the innermost one NumPy adds row to row, in order, whatever the machine.
            folded = np.add.reduce(rows[:, :whole].reshape(count, -1, lanes), axis=1)
            if whole < width:
                folded[:, : width - whole] += rows[:, whole:]
            rows = folded
    return np.asarray(fold(rows.T)) if len(rows) > 1 else np.array([fold(rows[0])])


@dataclass(frozen=True)
class Moments:
    """Number, sum, and sum of squared deviations from the mean, of some values."""

    count: int
    total: float
    deviation: float

    @property
    def mean(self) -> float:
        """Of the values."""
        return self.total / self.count

    @classmethod
    def of(cls, rows: Wide, sums: Wide, lost: Wide | None) -> Moments | None:
        """Take the moments of a block, of which nothing is left.

        Parameters
        ----------
        rows : (m, n) ndarray of float64
            The values; zero where there is none. They are overwritten: memory near the processor is dear.
        sums : (m,) ndarray of float64
            Of the rows.
        lost : (m, n) ndarray of float64, or None
            One where there is no value, else zero; None when there is one everywhere.

        Returns
        -------
        Moments or None
            None where there is no value at all.
        """
        count = rows.size if lost is None else rows.size - int(lost.sum())
        if not count:
            return None
        total = float(fold(sums))
        rows -= total / count
        if lost is not None:
            rows *= 1.0 - lost
        rows *= rows
        return cls(count, total, float(fold_rows(rows.reshape(1, -1))[0]))

    def merge(self, other: Moments) -> Moments:
        """Give the moments of both sets of values together."""
        count = self.count + other.count
        apart = other.mean - self.mean
        between = apart * apart * (self.count / count) * other.count
        return Moments(count, self.total + other.total, self.deviation + other.deviation + between)


class MomentsTree:
    """Merges moments two by two, like the carries of a binary counter: a balanced tree as it grows."""

    def __init__(self) -> None:
        self._levels: list[Moments | None] = []

    def add(self, moments: Moments) -> None:
        """Take the moments of the next block."""
        for level, waiting in enumerate(self._levels):
            if waiting is None:
                self._levels[level] = moments
                return
            moments = waiting.merge(moments)
            self._levels[level] = None
        self._levels.append(moments)

    def root(self) -> Moments:
        """Give the moments of all blocks, of which there must be one at least."""
        first, *rest = (waiting for waiting in self._levels if waiting is not None)
        for waiting in rest:
            first = waiting.merge(first)
        return first
