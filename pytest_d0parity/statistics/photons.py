"""The photon dose of a dataset, counted from the data alone.

``diff3d`` holds amplitudes: square roots of Poisson counts, times one constant for the whole file. Its
squares are therefore integer multiples of one number, the quantum, and dividing them by the quantum gives
photon counts, whatever the file name, the params and the scale of the data are. Or it holds intensities, which are
such multiples themselves; both are tried.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Block
from .distribution import Distribution
from .frames.frame_statistics import FrameStatistics
from .levels import count_levels, find_levels
from .moments import Moments, row_sums
from .records import Domain, Photons

_N_LOWEST = 512  # smallest distinct amplitudes that are kept
_SPREAD_SIZE = 4096  # amplitudes from the whole file that are tested to be integer multiples of the quantum
_SPREAD_PER_BLOCK = 8
_HEAD_BLOCKS = 16  # the first blocks, about a million amplitudes, of which every value is looked at
_BLOCKS_PER_OCTAVE = 4  # blocks looked at later on, each time the stream has become twice as long
_MIN_LEVELS = 4  # different squares that are needed at least
_MIN_VALUES = 100  # positive amplitudes that are needed at least; fewer counts may all be even by chance
_WINDOW = 32  # neighbouring levels that the first estimate of the quantum is made from
_MIN_UNIT_STEPS = 0.5  # share of the steps between them that must be a single quantum
_TOLERANCE = 0.1  # largest distance of a count from an integer
_MAX_ERROR = 0.1  # counts whose rounding error may be larger are not tested
_MIN_EVIDENCE = 8.0  # -log10 of the probability that the squares are near multiples of the quantum by chance
_ROUNDINGS = 4  # of a stored amplitude: square root, scaling, conversion
_MAX_ABSENT = 25.0  # a count that is expected more often than this cannot be absent by chance


class AmplitudeSample:
    """A sample of a stream of amplitudes from which photons can be counted, in little memory.

    It holds the smallest distinct amplitudes of the first blocks and of later ones at growing distances,
    how often these occur in the first blocks, and some values from evenly spaced blocks.

    Parameters
    ----------
    of_intensities : bool
        Whether the stream holds intensities, whose square roots are taken.
    """

    def __init__(self, *, of_intensities: bool = False) -> None:
        self._of_intensities = of_intensities
        self._lowest = np.empty(0, np.float32)
        self._limit = np.float32(np.inf)
        self._exponent: int | None = None
        self._spread: list[NDArray[np.float64]] = []
        self._stride = 1
        self._head: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []  # values, and how often each occurs
        self._blocks = 0

    def add(self, block: Block) -> None:
        """Add the next block of the first pass."""
        if not block.finite.size or (self._of_intensities and block.min < 0):
            return
        if self._blocks % self._stride == 0:
            spread = self._amplitudes(block.finite[:: -(-block.finite.size // _SPREAD_PER_BLOCK)])
            self._spread.append(spread.astype(np.float64))
            if len(self._spread) * _SPREAD_PER_BLOCK > _SPREAD_SIZE:
                del self._spread[1::2]
                self._stride *= 2
        if self._blocks < _HEAD_BLOCKS or self._blocks % _distance_between_blocks(self._blocks) == 0:
            self._add_lowest(*block.levels)
        self._blocks += 1

    def _amplitudes(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.sqrt(values) if self._of_intensities else values

    def _add_lowest(self, levels: NDArray[Any], times: NDArray[np.int64]) -> None:
        narrow = self._to_float32(self._amplitudes(levels))
        low = slice(*np.searchsorted(narrow, np.array([0, self._limit], np.float32), side="right"))
        if self._blocks < _HEAD_BLOCKS:
            self._head.append((narrow[low].copy(), times[low].copy()))  # a view would keep all the others as well
        self._lowest = count_levels(np.concatenate([self._lowest, narrow[low]]))[0][:_N_LOWEST]
        if len(self._lowest) == _N_LOWEST:
            self._limit = self._lowest[-1]

    def _to_float32(self, finite: NDArray[Any]) -> NDArray[np.float32]:
        """Round to float32; float64 values are scaled by a power of two first, so that they do not overflow."""
        if finite.dtype == np.float32:
            return finite
        if self._exponent is None:
            self._exponent = int(np.frexp(np.max(np.abs(finite)))[1])
        narrow: NDArray[np.float32] = np.ldexp(finite, -self._exponent).astype(np.float32)
        return narrow

    def _to_float64(self, narrow: NDArray[np.float32]) -> NDArray[np.float64]:
        """Undo `_to_float32`, but for the rounding."""
        return np.ldexp(narrow.astype(np.float64), self._exponent or 0)

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The smallest distinct positive amplitudes, ascending."""
        return self._to_float64(self._lowest)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Amplitudes from evenly spaced blocks of the stream."""
        return np.concatenate(self._spread) if self._spread else np.empty(0)

    def head(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the amplitudes among `lowest` that occur in the first blocks, and how often each does."""
        if not self._head:
            return np.empty(0), np.empty(0, np.int64)
        values, times = map(np.concatenate, zip(*self._head, strict=True))
        amplitudes, places = find_levels(values[values <= self._limit])
        return self._to_float64(amplitudes), np.bincount(places, times[values <= self._limit]).astype(np.int64)


def _distance_between_blocks(block: int) -> int:
    """Return how far apart the blocks are that are looked at, around the block of this number."""
    return max((1 << block.bit_length()) // (2 * _BLOCKS_PER_OCTAVE), 1)


class PhotonSample:
    """A sample of a stream of patterns from which photons can be counted, in whichever domain they are.

    Parameters
    ----------
    dtype : numpy.dtype
        Data type as stored. Integers are taken as counts.
    domain : str, optional
        The only domain that is tried; by default both are, of integers intensities alone.
    """

    def __init__(self, dtype: np.dtype[Any], domain: Domain | None = None) -> None:
        self._dtype = dtype
        self._takes_integers = dtype.kind in "iu" and domain != "amplitude"
        tried: tuple[Domain, ...] = ("intensity",) if self._takes_integers else ("amplitude", "intensity")
        self._samples = {
            each: AmplitudeSample(of_intensities=each == "intensity") for each in ((domain,) if domain else tried)
        }

    def add(self, block: Block) -> None:
        """Add the next block of the first pass."""
        for sample in self._samples.values():
            sample.add(block)

    def count(self, values: Distribution, frames: int) -> Photons:
        """Count the photons.

        Parameters
        ----------
        values : Distribution
            The distribution of all patterns.
        frames : int
            Number of patterns.

        Returns
        -------
        Photons
            With `quantized` false where neither the squares nor the values are multiples of a quantum, or where there
            are too few different values to decide.
        """
        # Neither amplitudes nor counts are negative.
        if self._dtype.kind not in "iufc" or values.min < 0 or values.count * values.nonzero_fraction < _MIN_VALUES:
            return Photons()
        found = Photons()
        for domain, sample in self._samples.items():
            counted = _count(sample, values, self._dtype, frames, domain)
            if counted.quantized:
                found = counted
                break
            found = found if found.residual is not None else counted
        return _as_counts(found, values, frames) if self._takes_integers else found


def _as_counts(found: Photons, values: Distribution, frames: int) -> Photons:
    """Return the photons of integers: whole multiples of a gain where that was found, else counts as they are."""
    quantum = max(round(found.quantum or 1), 1)
    per_pattern = values.mean * values.count / frames / quantum
    return Photons(quantum=float(quantum), per_pattern=per_pattern, residual=0.0, quantized=True, domain="intensity")


def _count(sample: AmplitudeSample, values: Distribution, dtype: np.dtype[Any], frames: int, domain: Domain) -> Photons:
    precision = np.finfo(dtype if dtype.kind in "fc" else np.float64)
    lowest = sample.lowest
    if not lowest.size or lowest[0] < precision.tiny:  # subnormal numbers have fewer significant bits
        return Photons()
    error = _ROUNDINGS * max(float(precision.eps), float(np.finfo(np.float32).eps))
    with np.errstate(all="ignore"):  # the squares of very large amplitudes overflow, and are then not quantized
        levels = _levels(lowest**2, error)
        quantum = _spacing(levels, error)
        if quantum is None:
            return Photons()
        counts = _exact_enough(np.concatenate([levels, sample.spread**2]) / quantum, error)
        total = values.l2_norm * values.l2_norm if domain == "amplitude" else values.mean * values.count
        per_pattern = total / frames / quantum
    residual = float(np.max(np.abs(counts - np.rint(counts)), initial=0.0))
    independent = len(_exact_enough(levels / quantum, error)) - 2  # the quantum was fitted to two of them
    evidence = -independent * math.log10(2 * max(residual, float(np.finfo(np.float64).eps)))
    amplitudes, times = sample.head()
    seen = np.rint(_exact_enough(amplitudes**2 / quantum, error))
    if residual > _TOLERANCE or evidence < _MIN_EVIDENCE or not _could_be_poisson(seen, times[: len(seen)]):
        return Photons(residual=residual)
    if not math.isfinite(per_pattern):
        return Photons()
    return Photons(quantum=quantum, per_pattern=per_pattern, residual=residual, quantized=True, domain=domain)


def photons_of_frames(photons: Photons, frames: FrameStatistics) -> NDArray[np.float64] | None:
    """Return the photons in each frame, of shape (n,); None where they were not counted."""
    if not photons.quantized or photons.quantum is None:
        return None
    return (frames.squares if photons.domain == "amplitude" else frames.sums) / photons.quantum


def with_frames(photons: Photons, frames: FrameStatistics) -> Photons:
    """Return photons with how they spread over the patterns."""
    empty = int(np.count_nonzero((frames.low == 0) & (frames.high == 0)))
    counts = photons_of_frames(photons, frames)
    if counts is None:
        return replace(photons, empty=empty)
    rows = counts.reshape(1, -1).copy()
    found = Moments.of(rows, row_sums(rows), None)
    std = None if found is None else math.sqrt(found[0].squared_deviations / len(counts))
    return replace(photons, min=float(counts.min()), max=float(counts.max()), std=std, empty=empty)


def _exact_enough(counts: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """Return the counts whose rounding error is small enough to tell integers; of ascending counts the first ones."""
    return counts[counts * error <= _MAX_ERROR]


def _could_be_poisson(counts: NDArray[np.float64], times: NDArray[np.int64]) -> bool:
    """Whether these counts, each occurring so many times, may come from Poisson distributions.

    Any mixture of Poisson distributions obeys p(k)² ≤ p(k-1) p(k+1) (k+1) / k, so a count cannot be
    frequent while a neighbour is absent. This rejects counts that were multiplied by rational factors:
    these are multiples of a fraction of a photon, but frequent and absent ones alternate.
    """
    observed = dict(zip(counts.tolist(), times.tolist(), strict=True))
    for count, often in list(observed.items())[:-1]:  # of the last one, the neighbour above was not counted
        if count <= 1:  # the number of zeros is unreliable: pixels may be masked
            continue
        below, above = observed.get(count - 1, 0), observed.get(count + 1, 0)
        if not (below and above) and often**2 * count / (count + 1) > _MAX_ABSENT * max(below, above, often / 2):
            return False
    return True


def _levels(squares: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """Merge ascending squares that differ by rounding alone into their mean."""
    if not squares.size:
        return squares
    starts = np.flatnonzero(np.diff(squares, prepend=-np.inf) > error * squares)
    return np.asarray(np.add.reduceat(squares, starts) / np.diff(starts, append=len(squares)))


def _spacing(levels: NDArray[np.float64], error: float) -> float | None:
    """Return the quantum of which the levels (ascending squares) are multiples, or None."""
    if len(levels) < _MIN_LEVELS:
        return None
    # Levels far from the most frequent counts are sparse. Where they are densest, neighbours differ by one quantum.
    width = min(_WINDOW, len(levels))
    start = int(np.argmin(levels[width - 1 :] - levels[: len(levels) - width + 1]))
    steps = np.diff(levels[start : start + width])
    quantum = float(np.min(steps))
    if np.mean(np.rint(steps / quantum) == 1) < _MIN_UNIT_STEPS:
        return None
    # The smallest step has the rounding error of two levels. A straight line through twice as many levels each
    # time makes the estimate more precise, until the counts are known even far from zero.
    reach = _MIN_LEVELS
    while True:
        part = levels[start : start + reach]
        counts = np.rint((part - part[0]) / quantum)
        counts -= counts.mean()
        quantum = float(np.sum(counts * part) / np.sum(counts * counts))
        if start + reach >= len(levels):
            break
        reach *= 2
    counts = np.rint(_exact_enough(levels / quantum, error))
    if len(counts) < _MIN_LEVELS or counts[0] < 1:
        return None
    return float(np.sum(counts * levels[: len(counts)]) / np.sum(counts * counts))
