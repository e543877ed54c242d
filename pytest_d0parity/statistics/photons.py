"""Photons counted back from the data itself.

``diff3d`` is an amplitude: the square root of a Poisson count, times one constant for the whole file.
Its squares are therefore integer multiples of a quantum, and dividing by the quantum gives counts,
whatever the file is called, whatever the params say and whatever the scale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Block
from .distribution import Distribution
from .records import Photons

_KEEP = 512  # smallest distinct amplitudes that are looked at
_SPREAD = 4096  # amplitudes from all over the file on which the claim is tried
_PER_BLOCK = 8
_HEAD_BLOCKS = 16  # a million amplitudes
_BLOCKS_PER_OCTAVE = 4  # that are looked at each time the stream has become twice as long
_MIN_LEVELS = 4  # fewer different counts prove nothing
_MIN_VALUES = 100  # fewer counts may all be even by chance
_WINDOW = 32  # neighbouring levels that the spacing is taken from, where they lie closest
_MIN_UNIT_STEPS = 0.5  # so many of the steps between them are one quantum
_TOLERANCE = 0.1  # largest distance of a count from an integer
_RESOLVED = 0.1  # counts whose rounding error may be larger say nothing about integers
_EVIDENCE = 8.0  # decimal digits by which chance must be excluded
_ROUNDINGS = 4  # of the stored amplitude, on its way through a square root and a scale
_MAX_ABSENT = 25.0  # a count that should occur so often cannot be absent by chance


class AmplitudeSample:
    """What the photon count needs of a stream of amplitudes, in little memory.

    The smallest distinct amplitudes of its head and of blocks that lie ever farther apart, all values of
    the head, and some values from evenly spread places.
    """

    def __init__(self) -> None:
        self._lowest = np.empty(0, np.float32)
        self._limit = np.float32(np.inf)
        self._exponent: int | None = None
        self._spread: list[NDArray[np.float64]] = []
        self._stride = 1
        self._head: list[NDArray[np.float32]] = []
        self._blocks = 0

    def add(self, block: Block) -> None:
        """Take the next block of the first pass."""
        if not block.finite.size:
            return
        narrow = self._narrow(block.finite)
        if self._blocks % self._stride == 0:
            self._spread.append(block.finite[:: -(-narrow.size // _PER_BLOCK)].astype(np.float64))
            if len(self._spread) * _PER_BLOCK > _SPREAD:
                del self._spread[1::2]
                self._stride *= 2
        if self._blocks < _HEAD_BLOCKS or self._blocks % _stride(self._blocks) == 0:
            low = narrow.compress((narrow > 0) & (narrow <= self._limit))
            if self._blocks < _HEAD_BLOCKS:
                self._head.append(low)
            self._lowest = np.union1d(self._lowest, low)[:_KEEP]
            if len(self._lowest) == _KEEP:
                self._limit = self._lowest[-1]
        self._blocks += 1

    def _narrow(self, finite: NDArray[Any]) -> NDArray[np.float32]:
        """Round to float32; float64 values in the scale of the first ones, so that none is too large or small."""
        if finite.dtype == np.float32:
            return finite
        if self._exponent is None:
            self._exponent = int(np.frexp(np.max(np.abs(finite)))[1])
        narrow: NDArray[np.float32] = np.ldexp(finite, -self._exponent).astype(np.float32)
        return narrow

    def _widen(self, narrow: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.ldexp(narrow.astype(np.float64), self._exponent or 0)

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The smallest distinct positive amplitudes that were looked at, ascending."""
        return self._widen(self._lowest)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Amplitudes from evenly spread places of the stream."""
        return np.concatenate(self._spread) if self._spread else np.empty(0)

    def head(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Which of the `lowest` occur in the head of the stream, and how often."""
        values = np.concatenate(self._head) if self._head else np.empty(0, np.float32)
        amplitudes, times = np.unique(values[values <= self._limit], return_counts=True)
        return self._widen(amplitudes), times


def _stride(block: int) -> int:
    """How far apart the blocks lie that are looked at, around the block of this number."""
    return max((1 << block.bit_length()) // (2 * _BLOCKS_PER_OCTAVE), 1)


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
    if values.min < 0 or dtype.kind not in "fc" or values.count * values.nonzero_fraction < _MIN_VALUES:
        return Photons()
    precision = np.finfo(dtype)
    lowest = sample.lowest
    if lowest[0] < precision.tiny:  # subnormal: rounded more coarsely than all others
        return Photons()
    error = _ROUNDINGS * max(float(precision.eps), float(np.finfo(np.float32).eps))
    with np.errstate(all="ignore"):  # squares of amplitudes beyond all bounds are not finite, and nothing follows
        levels = _levels(lowest**2, error)
        quantum = _spacing(levels, error)
        if quantum is None:
            return Photons()
        counts = _resolved(np.concatenate([levels, sample.spread**2]) / quantum, error)
        per_pattern = values.l2_norm * values.l2_norm / frames / quantum
    residual = float(np.max(np.abs(counts - np.rint(counts)), initial=0.0))
    independent = len(_resolved(levels / quantum, error)) - 2  # two levels went into the quantum
    evidence = -independent * math.log10(2 * max(residual, float(np.finfo(np.float64).eps)))
    amplitudes, times = sample.head()
    seen = np.rint(_resolved(amplitudes**2 / quantum, error))
    if residual > _TOLERANCE or evidence < _EVIDENCE or not _could_be_poisson(seen, times[: len(seen)]):
        return Photons(residual=residual)
    if not math.isfinite(per_pattern):
        return Photons()
    return Photons(quantum=quantum, per_pattern=per_pattern, residual=residual, quantized=True)


def _resolved(counts: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """Keep the counts that rounding leaves near enough to an integer; ascending ones from the start."""
    return counts[counts * error <= _RESOLVED]


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
    """Find the quantum that the levels are spaced by, or None."""
    if len(levels) < _MIN_LEVELS:
        return None
    # Far from the bulk of the counts few levels occur. Where they lie closest, neighbours are one quantum apart.
    width = min(_WINDOW, len(levels))
    start = int(np.argmin(levels[width - 1 :] - levels[: len(levels) - width + 1]))
    steps = np.diff(levels[start : start + width])
    quantum = float(np.min(steps))
    if np.mean(np.rint(steps / quantum) == 1) < _MIN_UNIT_STEPS:
        return None
    # The smallest spacing carries the rounding of two levels. A line through ever more of them
    # sharpens it until the counts themselves, far from zero, are told apart.
    reach = _MIN_LEVELS
    while True:
        part = levels[start : start + reach]
        counts = np.rint((part - part[0]) / quantum)
        counts -= counts.mean()
        quantum = float(np.sum(counts * part) / np.sum(counts * counts))
        if start + reach >= len(levels):
            break
        reach *= 2
    counts = np.rint(_resolved(levels / quantum, error))
    if len(counts) < _MIN_LEVELS or counts[0] < 1:
        return None
    return float(np.sum(counts * levels[: len(counts)]) / np.sum(counts * counts))
