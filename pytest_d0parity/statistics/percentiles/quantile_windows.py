"""Exact order statistics of a stream, mostly in one pass and always in bounded memory.

The values seen so far predict where the percentiles will be in the end. The values in a window around each
prediction are kept, and the windows shrink as more of the stream is known; all other values are only counted.
The counts are exact, so a rank that lies in a window at the end is found exactly. A rank that does not,
because the stream has changed on its way, is looked for in a second pass, in windows around the percentiles
of a sample of the whole stream. What these miss as well, `radix_selection` finds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kept_values import KeptValues, choose

_FIRST_SHRINK = 1 << 18  # values that are all kept before the first prediction
_WINDOW_BUDGET = 1 << 18  # values in all windows together, right after they have shrunk
_MIN_GROWTH = 1.5  # windows do not shrink if less than this factor of the stream is still to come
_MAX_KEPT = 1 << 21  # kept values at which the windows shrink ahead of schedule
_ROOM = 3 << 17  # kept values for which room is made at once; more of it scatters what is freed, and takes 5 MB
_PROBES = 8  # steps across a window in the search for frequent values
_FREQUENT = 1 << 15  # a value that occurs more often is counted instead of kept
_FIRST_MARGIN = 64.0  # half-width of a window in standard errors; large, since the pixels of a frame are correlated
_MIN_MARGIN = 10.0  # half-width of a window in standard errors as observed, at the least
_DRIFT_MARGIN = 6.0  # the same in the distance that the quantile has moved since the windows have shrunk before
_MAX_SAMPLE = 1 << 20  # values in the sample of the stream
_SAMPLE_PER_BLOCK = 1 << 9  # values of a block that go into the sample, at first
_GOLDEN_RATIO = 0.6180339887498949  # its multiples modulo 1 are evenly spread, never in step with rows and columns
_SAMPLE_MARGIN = 6.0  # half-width of a window in the second pass, in standard errors of the sample


class _Edge(NamedTuple):
    """A border between values: right below `value`, or right above it. Edges sort by position."""

    value: Any
    above: bool

    def is_above(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each value lies below the edge."""
        below: NDArray[np.bool_] = (np.less_equal if self.above else np.less)(values, self.value)
        return below

    def index_in(self, ascending: NDArray[Any]) -> int:
        """Return how many of the sorted values lie below the edge."""
        return int(np.searchsorted(ascending, self.value, side="right" if self.above else "left"))


class Windows:
    """Keeps the values of a stream that lie in some intervals, and counts all others.

    Parameters
    ----------
    edges : sequence of edges, ascending
        Interval i lies between edges i and i + 1. By default one interval that holds everything.
    keeps : sequence of bool
        For each interval whether its values are kept.
    below : sequence of int
        How many of the values so far lie below each edge.
    seen : int
        How many values there were so far.
    kept : KeptValues, optional
        The values so far that lie in an interval whose values are kept.
    """

    def __init__(
        self,
        edges: Sequence[_Edge] = (_Edge(-math.inf, False), _Edge(math.inf, True)),
        keeps: Sequence[bool] = (True,),
        below: Sequence[int] = (0, 0),
        seen: int = 0,
        kept: KeptValues | None = None,
    ) -> None:
        self.edges = edges
        self.below = np.array(below)
        self.seen = seen
        self._shares = self.below / max(seen, 1)  # of the values below each edge, at the beginning
        self._keeps = [*keeps, False][: len(edges)]
        self.kept = kept or KeptValues(0)
        # Sums and sums of squares, over the blocks, of the number of values below each edge.
        self._blocks = 0
        self._sums = np.zeros(len(edges))
        self._squares = np.zeros(len(edges))

    def add(self, values: NDArray[Any]) -> None:
        """Add the next block of values."""
        inside: NDArray[np.bool_] | None = None
        counts = np.empty(len(self.edges), np.int64)
        kept = False
        for number, (edge, keeps) in enumerate(zip(self.edges, self._keeps, strict=True)):
            below = edge.is_above(values)
            counts[number] = np.count_nonzero(below)
            if keeps != kept:
                # Edges where keeping begins or ends: a value is kept if an odd number of them lie above it.
                inside = below if inside is None else np.logical_xor(inside, below, out=inside)
                kept = keeps
        self.below += counts
        self.seen += values.size
        self._blocks += 1
        self._sums += counts
        self._squares += counts * counts
        if inside is not None:
            self.kept.add(choose(values, inside))

    def find(self, rank: int) -> Any:
        """Return the value of a rank (from 0) among the values so far, or None where it was not kept."""
        number = self._interval_of(rank)
        if not self._holds(number):
            return None
        low = self.edges[number]
        if self._keeps[number]:
            ascending = self.kept.ascending()
            return ascending[low.index_in(ascending) + rank - int(self.below[number])]
        return low.value

    def held_around(self, rank: int) -> tuple[int, int] | None:
        """Return the first and the last of the consecutive ranks around this one that can be found; None for none."""
        first = last = self._interval_of(rank)
        if not self._holds(first):
            return None
        while self._holds(first - 1):
            first -= 1
        while self._holds(last + 1):
            last += 1
        return int(self.below[first]), int(self.below[last + 1]) - 1

    def _interval_of(self, rank: int) -> int:
        return int(np.searchsorted(self.below, rank, side="right")) - 1

    def _holds(self, number: int) -> bool:
        """Whether the values of an interval are kept, or are all the same."""
        if not 0 <= number < len(self.edges) - 1:
            return False
        return self._keeps[number] or self.edges[number].value == self.edges[number + 1].value

    @property
    def counted_values(self) -> list[Any]:
        """The frequent values that have an interval of their own, and are counted instead of kept."""
        return [low.value for low, high in pairwise(self.edges) if low.value == high.value]

    def count_below(self, edge: _Edge) -> int:
        """Return how many of the values so far lie below an edge: one of `edges`, or one where values are kept."""
        number = bisect_right(self.edges, edge) - 1
        count = int(self.below[number])
        if self.edges[number] == edge:
            return count
        ascending = self.kept.ascending()
        return count + edge.index_in(ascending) - self.edges[number].index_in(ascending)

    def movement(self, rank: int) -> tuple[float, float]:
        """Return how much the counts below the edges around a rank that is held scatter, and how far they have drifted.

        Returns
        -------
        deviation : float
            Standard deviation from block to block.
        drift : float
            How many more or fewer values lie below than if their share had stayed what it was when the edges were set.
        """
        number = self._interval_of(rank)
        around = slice(number, number + 2)
        means = self._sums[around] / self._blocks
        variances = self._squares[around] / self._blocks - means * means
        drifts = np.abs(self.below[around] - self._shares[around] * self.seen)
        return math.sqrt(max(variances.max(), 0.0)), float(drifts.max())


class QuantileTracker:
    """Finds some quantiles of a stream in one pass, where they can be predicted.

    Memory is bounded, whatever the length of the stream.

    Parameters
    ----------
    quantiles : sequence of float
        The quantiles that will be asked for, from 0 to 1.
    size : int
        Number of values in the stream, at the most.
    """

    def __init__(self, quantiles: Sequence[float], size: int) -> None:
        self._size = size
        self._windows = Windows(kept=KeptValues(min(size, _ROOM)))
        self._spreads = {quantile: math.sqrt(quantile * (1 - quantile)) for quantile in quantiles}
        self._guess = _FIRST_MARGIN
        self._next_shrink = _FIRST_SHRINK  # number of values seen
        self._block_size = 0
        self._sample: list[NDArray[Any]] = []
        self._sample_size = 0
        self._sample_places = np.empty(0, np.intp)  # positions in a block from which the sample is taken

    def add(self, values: NDArray[Any]) -> None:
        """Add the next block of values: any finite floats, always of the same dtype."""
        if self._windows.seen >= self._next_shrink or self._windows.kept.size > _MAX_KEPT:
            self._shrink_windows()
        self._windows.add(values)
        self._block_size = max(self._block_size, values.size)
        if self._sample_places.size:
            self._take_sample(values)

    def _take_sample(self, values: NDArray[Any]) -> None:
        self._sample.append(values.take(self._sample_places[self._sample_places < values.size]))
        self._sample_places = (self._sample_places + int(self._block_size * _GOLDEN_RATIO)) % self._block_size
        self._sample_size += self._sample[-1].size
        if self._sample_size > _MAX_SAMPLE:
            self._sample = [np.concatenate(self._sample)[::2]]
            self._sample_size = self._sample[0].size
            self._sample_places = self._sample_places[::2]

    def find(self, rank: int) -> float | None:
        """Return the value of a rank (from 0), or None where no window holds it. Minus zero becomes zero."""
        value = self._windows.find(rank)
        return None if value is None else float(value) + 0.0

    def second_pass_windows(self, ranks: Iterable[int]) -> Windows | None:
        """Return empty windows for a second pass that should hold these ranks; None where they would be too large."""
        ascending = np.sort(np.concatenate(self._sample))
        last = ascending.size - 1
        edges: list[_Edge] = []
        for rank in sorted(ranks):
            share = rank / self._windows.seen
            margin = _SAMPLE_MARGIN * math.sqrt(max(share * (1 - share), 1 / ascending.size) * ascending.size)
            low, high = math.floor(share * last - margin), math.ceil(share * last + margin)
            window = [
                _Edge(ascending[low] if low > 0 else -math.inf, False),
                _Edge(ascending[high] if high < last else math.inf, True),
            ]
            if edges and window[0] <= edges[-1]:
                edges[-1] = max(edges[-1], window[1])
            else:
                edges += window
        kept = sum(edge.index_in(ascending) * (-1) ** (number + 1) for number, edge in enumerate(edges))
        if kept / ascending.size * self._windows.seen > _MAX_KEPT:
            return None
        return Windows(edges, [number % 2 == 0 for number in range(len(edges) - 1)], [0] * len(edges))

    def _shrink_windows(self) -> None:
        """Predict where the quantiles will be, and keep only the values in windows around these places."""
        self._next_shrink = 2 * self._windows.seen
        if self._size < _MIN_GROWTH * self._next_shrink:
            self._next_shrink = self._size
        old = self._windows
        widths = self._half_widths()
        windows = [self._window(quantile, half_width) for quantile, half_width in widths.items()]
        edges = sorted({edge for window in windows for edge in window})
        ascending = old.kept.ascending()
        if not self._sample:
            # Every value so far is kept and sorted, so every n-th of them is the best possible sample.
            places = np.arange(_SAMPLE_PER_BLOCK) * _GOLDEN_RATIO % 1 * self._block_size
            self._sample_places = places.astype(np.intp)
            self._sample = [ascending[:: max(self._block_size // _SAMPLE_PER_BLOCK, 1)].copy()]
            self._sample_size = self._sample[0].size
        below = [old.count_below(edge) for edge in edges]
        indices = [edge.index_in(ascending) for edge in edges]
        keeps = [
            low.value != high.value
            and any(window[0] <= low and high <= window[-1] for window in windows)
            # Of an interval that lay between two old windows only the count is known.
            and indices[number + 1] - indices[number] == below[number + 1] - below[number]
            for number, (low, high) in enumerate(pairwise(edges))
        ]
        old.kept.drop_all_but(slice(*indices[number : number + 2]) for number, kept in enumerate(keeps) if kept)
        self._windows = Windows(edges, keeps, below, old.seen, old.kept)

    def _window(self, quantile: float, half_width: float) -> list[_Edge]:
        """Return the edges around a quantile, and those around each frequent value in between."""
        middle = round(quantile * (self._windows.seen - 1))
        held = self._windows.held_around(middle)
        assert held is not None  # noqa: S101 - for the type checker: it has a width since it is held
        first, last = max(middle - half_width, held[0]), min(middle + half_width, held[1])
        ranks = sorted({round(first + (last - first) * step / _PROBES) for step in range(_PROBES + 1)} | {middle})
        probes = [self._windows.find(rank) for rank in ranks]
        # Values that were counted so far were not kept, so they have to be counted further on.
        frequent = {value for value in self._windows.counted_values if probes[0] <= value <= probes[-1]}
        frequent |= {value for value in set(probes) if self._is_frequent(value)}
        edges = {_Edge(probes[0], False), _Edge(probes[-1], True)}
        return sorted(edges | {_Edge(value, above) for value in frequent for above in (False, True)})

    def _is_frequent(self, value: Any) -> bool:
        low, high = (_Edge(value, above).index_in(self._windows.kept.ascending()) for above in (False, True))
        return high - low > _FREQUENT

    def _half_widths(self) -> dict[float, float]:
        """Return by how many ranks each quantile that is not lost may still move, limited by the memory for all."""
        windows = self._windows
        blocks = windows.seen / self._block_size
        wanted, spreads = {}, {}
        for quantile, spread in self._spreads.items():
            rank = round(quantile * (windows.seen - 1))
            if windows.held_around(rank) is None:
                continue
            spreads[quantile] = max(spread, 1 / math.sqrt(windows.seen))
            independent = spreads[quantile] * math.sqrt(windows.seen)  # standard error if all values were independent
            deviation, drift = windows.movement(rank)
            error = max(independent, math.sqrt(blocks) * deviation)
            wanted[quantile] = max(self._guess * independent, _MIN_MARGIN * error, _DRIFT_MARGIN * drift)
        self._guess /= 2
        # What one quantile leaves of its share of the budget, others may use.
        budget, granted = _WINDOW_BUDGET / 2, {}
        for quantile in sorted(wanted, key=lambda each: wanted[each] / spreads[each]):
            share = budget * spreads[quantile] / sum(spreads[each] for each in spreads if each not in granted)
            granted[quantile] = min(wanted[quantile], share)
            budget -= granted[quantile]
        return granted
