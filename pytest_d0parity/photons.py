"""Photons counted back from the data itself.

``diff3d`` is an amplitude: the square root of a Poisson count, times one constant for the whole file.
Its squares are therefore integer multiples of a quantum, and dividing by the quantum gives counts,
whatever the file is called, whatever the params say and whatever the scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .statistics import Block, Distribution

__all__ = ["MISLABELLED", "AmplitudeSample", "Photons", "count_photons"]

MISLABELLED = 0.05  # a dose that is off by more than this share does not belong to its label

_KEEP = 512  # smallest distinct amplitudes that are looked at
_SPREAD = 4096  # amplitudes from all over the file on which the claim is tried
_PER_BLOCK = 8
_HEAD_BLOCKS = 16  # a million amplitudes
_MIN_LEVELS = 4  # fewer different counts prove nothing
_SPACING_LEVELS = 32  # the spacing is taken from so few, where rounding is smallest
_MIN_UNIT_STEPS = 0.5  # so many of the steps between them are one quantum
_TOLERANCE = 0.1  # largest distance of a count from an integer
_RESOLVED = 0.05  # counts whose rounding error may be larger say nothing about integers
_ROUNDINGS = 4  # of the stored amplitude, on its way through a square root and a scale
_MAX_ABSENT = 25.0  # a count that should occur so often cannot be absent by chance
_TABLE_SHIFT = 11  # bits of a float32 that the table of known amplitudes does not tell apart


@dataclass(frozen=True, kw_only=True)
class Photons:
    """What the squares of ``diff3d`` say about the dose.

    Attributes
    ----------
    quantum : float or None
        Square of the amplitude of one photon; None where the data is not quantized.
    per_pattern : float or None
        Photons in a pattern, averaged over the frames.
    residual : float or None
        Largest distance of ``diff3d**2 / quantum`` from an integer, over the values tried; None
        where no quantum could be proposed.
    quantized : bool
        Whether the squares are integer multiples of the quantum.
    expected : float or None
        Dose in the file's name.
    ratio : float or None
        ``per_pattern / expected``.
    """

    quantum: float | None = None
    per_pattern: float | None = None
    residual: float | None = None
    quantized: bool = False
    expected: float | None = None
    ratio: float | None = None

    def against(self, expected: float | None) -> Photons:
        """Put the same photons beside the dose that a label claims."""
        ratio = self.per_pattern / expected if self.per_pattern is not None and expected else None
        return replace(self, expected=expected, ratio=ratio)

    @property
    def mislabelled(self) -> bool:
        """Whether the label is off by more than 5 %."""
        return self.ratio is not None and abs(self.ratio - 1) > MISLABELLED


class AmplitudeSample:
    """What the photon count needs of a stream of amplitudes, in little memory.

    The smallest distinct amplitudes of the whole stream, some values from evenly spread places, and
    all values of its head.
    """

    def __init__(self) -> None:
        self._lowest = np.empty(0, np.float32)
        self._limit = np.float32(np.inf)
        # One known amplitude for each leading part of a float32. Counts below 2000 never share a
        # place, so for quantized data everything is soon known and nothing is sorted any more.
        self._known = np.zeros(1 << (32 - _TABLE_SHIFT), np.uint32)
        self._spread: list[NDArray[np.float64]] = []
        self._stride = 1
        self._head: list[NDArray[np.float32]] = []
        self._blocks = 0

    def add(self, block: Block) -> None:
        """Take the next block of the first pass."""
        if not block.finite.size:
            return
        narrow = block.finite.astype(np.float32, copy=False)
        if self._blocks < _HEAD_BLOCKS:
            self._head.append(narrow.copy())
        if self._blocks % self._stride == 0:
            self._spread.append(block.finite[:: -(-narrow.size // _PER_BLOCK)].astype(np.float64))
            if len(self._spread) * _PER_BLOCK > _SPREAD:
                del self._spread[1::2]
                self._stride *= 2
        self._blocks += 1

        candidates = narrow[(narrow > 0) & (narrow < self._limit)]
        bits = candidates.view(np.uint32)
        fresh = np.unique(candidates[self._known[bits >> _TABLE_SHIFT] != bits])
        if fresh.size:
            bits = fresh.view(np.uint32)
            self._known[bits >> _TABLE_SHIFT] = bits
            self._lowest = np.union1d(self._lowest, fresh)[:_KEEP]
            if len(self._lowest) == _KEEP:
                self._limit = self._lowest[-1]

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The smallest distinct positive amplitudes, ascending."""
        return self._lowest.astype(np.float64)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Amplitudes from evenly spread places of the stream."""
        return np.concatenate(self._spread) if self._spread else np.empty(0)

    def head(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Which of the `lowest` occur in the head of the stream, and how often."""
        values = np.concatenate(self._head) if self._head else np.empty(0, np.float32)
        amplitudes, times = np.unique(
            values[(values > 0) & (values <= self._lowest[-1:].max(initial=0.0))], return_counts=True
        )
        return amplitudes.astype(np.float64), times


def count_photons(sample: AmplitudeSample, values: Distribution, dtype: np.dtype[Any], frames: int) -> Photons:
    """Count the photons of a stack of patterns.

    Parameters
    ----------
    sample : AmplitudeSample
        That has seen the whole of ``diff3d``.
    values : Distribution
        Of ``diff3d``.
    dtype : numpy.dtype
        As stored; its precision decides how exactly squares can be multiples of anything.
    frames : int
        Number of patterns.

    Returns
    -------
    Photons
        With `quantized` false where the squares are no multiples of a quantum, or where there are
        too few different values to tell.
    """
    # Amplitudes are never negative; integers are not square roots that somebody scaled.
    if values.min < 0 or dtype.kind not in "fc":
        return Photons()
    error = 2 * _ROUNDINGS * max(np.finfo(dtype).eps, np.finfo(np.float32).eps) / 2
    levels = _levels(sample.lowest**2, error)
    quantum = _spacing(levels, error)
    if quantum is None:
        return Photons()
    squares = np.concatenate([levels, sample.spread**2])
    counts = squares / quantum
    resolved = counts[counts * error <= _RESOLVED]
    residual = float(np.max(np.abs(resolved - np.rint(resolved)), initial=0.0))
    amplitudes, times = sample.head()
    if residual > _TOLERANCE or not _could_be_poisson(np.rint(amplitudes**2 / quantum), times):
        return Photons(residual=residual)
    return Photons(quantum=quantum, per_pattern=values.l2_norm**2 / frames / quantum, residual=residual, quantized=True)


def _could_be_poisson(counts: NDArray[np.float64], times: NDArray[np.int64]) -> bool:
    """Whether photon counts may occur as often as they do.

    Whatever the rates, a mixture of Poisson distributions obeys p(k)² ≤ p(k-1) p(k+1) (k+1) / k, so
    a count cannot be frequent while its neighbour is absent. Counts times a ramp of rational factors
    are multiples of a fraction of a photon too, but frequent and absent ones alternate among them.
    """
    observed = dict(zip(counts.tolist(), times.tolist(), strict=True))
    for count, often in list(observed.items())[:-1]:  # what lies above the last was not counted
        if count <= 1:  # zero photons may be masked pixels, or none
            continue
        below, above = observed.get(count - 1, 0), observed.get(count + 1, 0)
        if not (below and above) and often**2 * count / (count + 1) > _MAX_ABSENT * max(below, above, often / 2):
            return False
    return True


def _levels(squares: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """Take squares that differ by rounding alone as one."""
    if not squares.size:
        return squares
    starts = np.flatnonzero(np.diff(squares, prepend=-np.inf) > error * squares)
    return np.asarray(np.add.reduceat(squares, starts) / np.diff(starts, append=len(squares)))


def _spacing(levels: NDArray[np.float64], error: float) -> float | None:
    """Find the quantum that the smallest levels are spaced by, or None."""
    first = levels[:_SPACING_LEVELS]
    if len(first) < _MIN_LEVELS:
        return None
    steps = np.diff(first)
    quantum = float(np.min(steps))
    if np.mean(np.rint(steps / quantum) == 1) < _MIN_UNIT_STEPS:
        return None
    # The smallest spacing carries the rounding of two levels. A line through ever more of them
    # sharpens it until the counts themselves, far from zero, are told apart.
    reach = _MIN_LEVELS
    while True:
        part = levels[:reach]
        steps = np.rint((part - part[0]) / quantum)
        steps -= steps.mean()
        quantum = float(np.sum(steps * part) / np.sum(steps * steps))
        if reach >= len(levels):
            break
        reach *= 2
    counts = np.rint(levels / quantum)
    if counts[0] < 1:
        return None
    resolved = counts * error <= _RESOLVED
    if np.count_nonzero(resolved) < _MIN_LEVELS:
        return None
    counts, levels = counts[resolved], levels[resolved]
    return float(np.sum(counts * levels) / np.sum(counts * counts))
