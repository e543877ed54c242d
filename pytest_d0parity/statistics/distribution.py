"""Statistics of arrays of any size, exact, and the same to the last bit on every machine.

An array is read as a stream of blocks at fixed element positions, once: see `moments` for sums, and
`windows` for percentiles, which are exact order statistics. Only what the windows have missed is looked
for in further passes; see `selection`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .blocks import Block, Source, Values, _magnitude, _pass
from .moments import Moments, MomentsTree, fold_rows
from .quantile_windows import Forecast
from .radix_selection import Selection

_SAFE_EXPONENT = 400  # squares of values within 2**±400 neither overflow nor vanish


# --- records -----------------------------------------------------------------------------------


# --- what can be measured ----------------------------------------------------------------------


# --- frames ----------------------------------------------------------------------------------


# --- distributions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """What one stream of values comes to; `order` maps ranks (from 0) to values."""

    count: int
    nan_count: int
    inf_count: int
    min: float
    max: float
    mean: float
    std: float
    nonzero_fraction: float
    order: Mapping[int, float]

    def percentile(self, percent: int) -> float:
        """Linear interpolation between order statistics, by NumPy's formula and rounding."""
        if not self.count:
            return 0.0
        place = (self.count - 1) * (percent / 100)
        below, above = (self.order[rank] for rank in _neighbours(self.count, percent))
        share = place - math.floor(place)
        if share >= 0.5:
            return above - (above - below) * (1 - share)
        return below + (above - below) * share

    @property
    def median(self) -> float:
        """Middle value, or the mean of the two."""
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
        """Give the distribution of the quotients, exact for ranks and extremes, without another pass."""
        if not self.count:
            return self
        quotients = {rank: value / divisor + 0.0 for rank, value in self.order.items()}
        low, high = self.min / divisor + 0.0, self.max / divisor + 0.0
        if divisor < 0:
            low, high = high, low
            quotients = {self.count - 1 - rank: value for rank, value in quotients.items()}
        return replace(
            self, min=low, max=high, mean=self.mean / divisor + 0.0, std=self.std / abs(divisor), order=quotients
        )


def _neighbours(count: int, percent: int) -> tuple[int, int]:
    below = math.floor((count - 1) * (percent / 100))
    return below, min(below + 1, count - 1)


def _wanted_ranks(count: int, percents: Iterable[int]) -> set[int]:
    if not count:
        return set()
    ranks = {rank for percent in percents for rank in _neighbours(count, percent)}
    # Both ends of every pair, so that a negative divisor finds the mirrored ranks too.
    return ranks | {count - 1 - rank for rank in ranks} | {(count - 1) // 2, count // 2}


def _shares(percents: Iterable[int]) -> list[float]:
    return [each / 100 for each in sorted({50} | {side for percent in percents for side in (percent, 100 - percent)})]


_STAGE_PERCENTS = (1, 10, 50, 90, 99)


def describe(
    source: Source,
    *,
    percents: Sequence[int] = _STAGE_PERCENTS,
    part: Callable[[Values], Values] = _magnitude,
    observers: Sequence[Callable[[Block], None]] = (),
) -> Distribution:
    """Measure an array in as many passes as its percentiles need (one or two, rarely more).

    Parameters
    ----------
    source : Source
        Of any boolean, integer, real or complex dtype.
    percents : sequence of int
        The percentiles that will be asked for.
    part : callable
        What is measured of each value; by default complex values by their magnitude.
    observers : sequence of callable
        Each is given every `Block` of the first pass.

    Returns
    -------
    Distribution
        Over the finite values. All zeros where there is none.
    """
    count = nan_count = inf_count = zeros = 0
    low, high = math.inf, -math.inf
    tree = MomentsTree()
    forecast = Forecast(_shares(percents), math.prod(source.shape))
    with np.errstate(all="ignore"):
        for block, nans, infs in _pass(source, part):
            nan_count += nans
            inf_count += infs
            for observe in observers:
                observe(block)
            moments = Moments.of(block.rows, block.sums, block.lost)
            if moments is None:
                continue
            tree.add(moments)
            count += moments.count
            zeros += int(np.count_nonzero(np.equal(block.finite, 0)))
            low, high = min(low, block.low), max(high, block.high)
            forecast.add(block.finite)
        if not count:
            return Distribution(0, nan_count, inf_count, 0.0, 0.0, 0.0, 0.0, 0.0, {})
        order = _order(source, part, forecast, _wanted_ranks(count, percents))
        mean, std = _mean_and_std(source, part, tree, low, high)
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


def _order(
    source: Source, part: Callable[[Values], Values], forecast: Forecast, ranks: Iterable[int]
) -> dict[int, float]:
    """Give the values of some ranks, in further passes where they were not foretold."""
    found = {rank: value for rank in ranks if (value := forecast.find(rank)) is not None}
    missed = set(ranks) - set(found)
    if missed and (windows := forecast.second_look(missed)):
        for block, _, _ in _pass(source, part):
            windows.add(block.finite)
        found |= {rank: float(value) + 0.0 for rank in missed if (value := windows.at(rank)) is not None}
        missed -= set(found)
    selection = Selection(missed)
    while selection.needs_pass:
        for block, _, _ in _pass(source, part):
            selection.add(block.finite)
        selection.close_pass()
    return found | selection.found


def _mean_and_std(
    source: Source, part: Callable[[Values], Values], tree: MomentsTree, low: float, high: float
) -> tuple[float, float]:
    if low == high:
        return low, 0.0
    exponent = math.frexp(max(-low, high))[1]
    if abs(exponent) <= _SAFE_EXPONENT:
        exponent = 0
    else:
        # Squares of such values overflow or vanish: once more, scaled by a power of two.
        tree = MomentsTree()
        for block, _, _ in _pass(source, part):
            rows = np.ldexp(block.rows, -exponent)
            if (scaled := Moments.of(rows, fold_rows(rows), block.lost)) is not None:
                tree.add(scaled)
    moments = tree.root()
    mean = min(max(math.ldexp(moments.mean, exponent), low), high)
    return mean, math.ldexp(math.sqrt(moments.deviation / moments.count), exponent)


# --- stages and probe --------------------------------------------------------------------------


# --- the same, for arrays in memory ------------------------------------------------------------
