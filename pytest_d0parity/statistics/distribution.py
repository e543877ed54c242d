"""The distribution of the values of an array of any size: exact, and the same to the last bit on every machine.

An array is read as a stream of blocks at fixed positions, mostly once: see `moments` for mean and standard
deviation, and `quantile_windows` for percentiles, which are exact order statistics. Only those that the
windows miss are found in further passes: see `radix_selection`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Block, Source, magnitude, read_blocks
from .frames.frame_statistics import FrameStatistics
from .moments import Moments, MomentsTree, row_sums
from .percentiles.quantile_windows import QuantileTracker
from .percentiles.radix_selection import RadixSelection

_SAFE_EXPONENT = 400  # squares of values within 2**±400 neither overflow nor underflow
_STAGE_PERCENTS = (1, 10, 50, 90, 99)

Transform = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Distribution:
    """The distribution of the finite values of an array.

    Attributes
    ----------
    count, nan_count, inf_count : int
        Number of finite, NaN and infinite values.
    min, max, mean, std, nonzero_fraction : float
        Over the finite values; zero where there is none. `std` is that of the population.
    order : mapping of int to float
        The order statistics that the percentiles need: rank (from 0) to value.
    """

    count: int
    nan_count: int
    inf_count: int
    min: float
    max: float
    mean: float
    std: float
    nonzero_fraction: float
    order: Mapping[int, float]

    @classmethod
    def empty(cls, nan_count: int, inf_count: int) -> Distribution:
        """Return the distribution of an array without a finite value."""
        return cls(0, nan_count, inf_count, 0.0, 0.0, 0.0, 0.0, 0.0, {})

    def percentile(self, percent: int) -> float:
        """Interpolate linearly between order statistics, by NumPy's formula and with its rounding."""
        if not self.count:
            return 0.0
        position = (self.count - 1) * (percent / 100)
        below, above = (self.order[rank] for rank in _neighbours(self.count, percent))
        share = position - math.floor(position)
        if share >= 0.5:
            return above - (above - below) * (1 - share)
        return below + (above - below) * share

    @property
    def median(self) -> float:
        """Middle value, or the mean of the two middle values."""
        if not self.count:
            return 0.0
        below, above = self.order[(self.count - 1) // 2], self.order[self.count // 2]
        middle = (below + above) / 2
        return middle if math.isfinite(middle) else below / 2 + above / 2

    @property
    def l2_norm(self) -> float:
        """Square root of the sum of squares."""
        return math.sqrt(self.count) * math.hypot(self.mean, self.std)

    def divided(self, divisor: float) -> Distribution:
        """Return the distribution of the quotients, exact for order statistics and extremes, without another pass."""
        if not self.count:
            return self
        # Adding 0.0 makes minus zero zero, here and below.
        quotients = {rank: value / divisor + 0.0 for rank, value in self.order.items()}
        low, high = self.min / divisor + 0.0, self.max / divisor + 0.0
        if divisor < 0:
            low, high = high, low
            quotients = {self.count - 1 - rank: value for rank, value in quotients.items()}
        return replace(
            self, min=low, max=high, mean=self.mean / divisor + 0.0, std=self.std / abs(divisor), order=quotients
        )


def _neighbours(count: int, percent: int) -> tuple[int, int]:
    """Return the ranks on both sides of a percentile."""
    below = math.floor((count - 1) * (percent / 100))
    return below, min(below + 1, count - 1)


def _wanted_ranks(count: int, percents: Iterable[int]) -> set[int]:
    ranks = {rank for percent in percents for rank in _neighbours(count, percent)}
    # Also the ranks counted from the other end, which `Distribution.divided` needs for a negative divisor.
    return ranks | {count - 1 - rank for rank in ranks} | {(count - 1) // 2, count // 2}


def _wanted_quantiles(percents: Iterable[int]) -> list[float]:
    return [each / 100 for each in sorted({50} | {side for percent in percents for side in (percent, 100 - percent)})]


def describe(
    source: Source,
    *,
    percents: Sequence[int] | None = _STAGE_PERCENTS,
    transform: Transform = magnitude,
    observers: Sequence[Callable[[Block], None]] = (),
    frames: FrameStatistics | None = None,
) -> Distribution:
    """Measure an array in as many passes as its percentiles need (one or two, rarely more).

    Parameters
    ----------
    source : Source
        Of any boolean, integer, real or complex dtype.
    percents : sequence of int, or None
        The percentiles that will be asked for, beside the median; None for no order statistics at all.
    transform : callable
        Makes real values of the stored ones; by default complex values are measured by their magnitude.
    observers : sequence of callable
        Each is called with every `Block` of the first pass.
    frames : FrameStatistics, optional
        Collects what each frame of the array holds.

    Returns
    -------
    Distribution
        Over the finite values. All zeros where there is none.
    """
    count = nan_count = inf_count = zeros = 0
    low, high = math.inf, -math.inf
    tree = MomentsTree()
    tracker = None if percents is None else QuantileTracker(_wanted_quantiles(percents), math.prod(source.shape))
    with np.errstate(all="ignore"):
        for block in read_blocks(source, transform):
            nan_count += block.nan_count
            inf_count += block.inf_count
            for observe in observers:
                observe(block)
            if frames is not None:
                frames.add(block)
            found = Moments.of(block.rows, block.sums, block.non_finite)
            if found is None:
                if frames is not None:
                    frames.skip(block)
                continue
            moments, deviations = found
            if frames is not None:
                frames.add_deviations(block, moments.mean, deviations)
            tree.add(moments)
            count += moments.count
            if frames is None:
                zeros += int(np.count_nonzero(np.equal(block.finite, 0)))
            low, high = min(low, block.min), max(high, block.max)
            if tracker is not None:
                tracker.add(block.finite)
        if not count:
            return Distribution.empty(nan_count, inf_count)
        if frames is not None:
            zeros = count - int(frames.nonzero.sum())
        order: Mapping[int, float] = {}
        if tracker is not None and percents is not None:
            order = _order_statistics(source, transform, tracker, _wanted_ranks(count, percents))
        mean, std = _mean_and_std(source, transform, tree, low, high)
    return Distribution(
        count=count,
        nan_count=nan_count,
        inf_count=inf_count,
        min=low + 0.0,
        max=high + 0.0,
        mean=mean + 0.0,
        std=std,
        nonzero_fraction=(count - zeros) / count,
        order=order,
    )


def _order_statistics(
    source: Source, transform: Transform, tracker: QuantileTracker, ranks: set[int]
) -> dict[int, float]:
    """Return the values of these ranks, in further passes where the first one has not kept them."""
    found = {rank: value for rank in ranks if (value := tracker.find(rank)) is not None}
    missing = ranks - set(found)
    if missing and (windows := tracker.second_pass_windows(missing)):
        for block in read_blocks(source, transform):
            windows.add(block.finite)
        found |= {rank: float(value) + 0.0 for rank in missing if (value := windows.find(rank)) is not None}
        missing -= set(found)
    selection = RadixSelection(missing)
    while selection.needs_pass:
        for block in read_blocks(source, transform):
            selection.add(block.finite)
        selection.close_pass()
    return found | selection.found


def _mean_and_std(
    source: Source, transform: Transform, tree: MomentsTree, low: float, high: float
) -> tuple[float, float]:
    if low == high:
        return low, 0.0
    exponent = math.frexp(max(-low, high))[1]
    if abs(exponent) <= _SAFE_EXPONENT:
        exponent = 0
    else:
        # Squares of such values overflow or underflow: measure again, scaled by a power of two.
        tree = MomentsTree()
        for block in read_blocks(source, transform):
            rows = np.ldexp(block.rows, -exponent)
            if (scaled := Moments.of(rows, row_sums(rows), block.non_finite)) is not None:
                tree.add(scaled[0])
    moments = tree.root()
    mean = min(max(math.ldexp(moments.mean, exponent), low), high)
    return mean, math.ldexp(math.sqrt(moments.squared_deviations / moments.count), exponent)
