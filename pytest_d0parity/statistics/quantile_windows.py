"""Exact order statistics of a stream, mostly in one pass.

What has gone by tells about where the percentiles will be. Around each of them a window of values is
kept, narrower and narrower as more is known; of all other values only their number on either side is
counted. Counts are exact, so a rank that falls into a window in the end is exact as well. One that does
not (the stream has changed on its way) is found in a second pass, by windows around the percentiles of a
sample of the whole stream. What even these miss, somebody else has to look for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

_FIRST = 1 << 18  # values that are all kept before anything is foretold
_BUDGET = 1 << 19  # values in all windows together, when they have just been narrowed
_WORTHWHILE = 1.5  # windows are not narrowed when the stream ends so soon after
_TOO_MANY = 1 << 21  # values kept, at which windows are narrowed before their time
_PIECES = 1 << 10  # small arrays of kept values, each of which costs memory of its own
_PROBES = 8  # steps across a window, to see which values fill it
_FREQUENT = 1 << 15  # a value that occurs so often is counted instead of kept
_LUMP = 256.0  # pixels of a frame move together, and so a quantile moves farther than by chance: at first, so much
_DEVIATIONS = 8.0  # standard deviations that a quantile may still move by
_SAMPLE = 1 << 20  # values from all over the stream, at the most
_SAMPLED = 1 << 9  # of a block, at first
_GOLDEN = 0.6180339887498949  # whose multiples fall evenly everywhere, and never in step with rows and columns
_SURE = 6.0  # standard deviations by which the sample may be wrong


class _Edge(NamedTuple):
    """A place between values: right below a value, or right above it. Edges sort by place."""

    value: Any
    above: bool

    def below(self, values: Values) -> NDArray[np.bool_]:
        """Which values lie below the edge."""
        below: NDArray[np.bool_] = (np.less_equal if self.above else np.less)(values, self.value)
        return below

    def place(self, ascending: Values) -> int:
        """How many of the sorted values lie below the edge."""
        return int(np.searchsorted(ascending, self.value, side="right" if self.above else "left"))


class Windows:
    """Keeps the values between some edges, and counts all others.

    Parameters
    ----------
    edges : sequence of edges, ascending
        Interval i lies between edges i and i + 1. By default one that holds everything.
    keeps : sequence of bool
        For each interval whether its values are kept.
    below : sequence of int
        How many of the values so far lie below each edge.
    kept : ndarray, optional
        The values so far that lie in an interval whose values are kept, ascending.
    """

    def __init__(
        self,
        edges: Sequence[_Edge] = (_Edge(-math.inf, False), _Edge(math.inf, True)),
        keeps: Sequence[bool] = (True,),
        below: Sequence[int] = (0, 0),
        kept: Values | None = None,
    ) -> None:
        self.edges = edges
        self.below = np.array(below)
        self._keeps = [*keeps, False][: len(edges)]
        self._kept = [] if kept is None else [kept]
        self._is_sorted = kept is not None
        self.size = 0 if kept is None else kept.size
        # How the numbers below vary from block to block.
        self._blocks = 0
        self._sums = np.zeros(len(edges))
        self._squares = np.zeros(len(edges))

    def add(self, values: Values) -> None:
        """Take the next block of values."""
        inside: NDArray[np.bool_] | None = None
        counts = np.empty(len(self.edges), np.int64)
        kept = False
        for number, (edge, keeps) in enumerate(zip(self.edges, self._keeps, strict=True)):
            below = edge.below(values)
            counts[number] = np.count_nonzero(below)
            if keeps != kept:
                # A value is kept if an odd number of the edges where keeping begins or ends lie above it.
                inside = below if inside is None else np.logical_xor(inside, below, out=inside)
                kept = keeps
        self.below += counts
        self._blocks += 1
        self._sums += counts
        self._squares += counts * counts
        if inside is not None:
            self._kept.append(values.compress(inside))
            self.size += self._kept[-1].size
            self._is_sorted = False
            if len(self._kept) > _PIECES:
                self._kept = [np.concatenate(self._kept)]

    def ascending(self) -> Values:
        """Give the values kept so far."""
        if not self._is_sorted:
            self._kept = [np.concatenate(self._kept)]
            self._kept[0].sort()
            self._is_sorted = True
        return self._kept[0]

    def at(self, rank: int) -> Any:
        """Give the value of a rank (from 0) among the values so far, or None where it was not kept."""
        number = int(np.searchsorted(self.below, rank, side="right")) - 1
        if number < 0 or number == len(self.edges) - 1:
            return None
        low, high = self.edges[number : number + 2]
        if self._keeps[number]:
            ascending = self.ascending()
            return ascending[low.place(ascending) + rank - int(self.below[number])]
        return low.value if low.value == high.value else None

    @property
    def counted(self) -> list[Any]:
        """Values that have an interval of their own: they are frequent, and not kept."""
        return [low.value for low, high in pairwise(self.edges) if low.value == high.value]

    def count_below(self, edge: _Edge) -> int:
        """How many of the values so far lie below an edge that is here already, or where values are kept."""
        number = bisect_right(self.edges, edge) - 1
        count = int(self.below[number])
        if self.edges[number] == edge:
            return count
        ascending = self.ascending()
        return count + edge.place(ascending) - self.edges[number].place(ascending)

    def deviation(self, rank: float) -> float:
        """Give the standard deviation, from block to block, of the number of values below the edge next to a rank."""
        if not self._blocks or not self.edges:
            return 0.0
        number = int(np.argmin(np.abs(self.below - rank)))
        mean = self._sums[number] / self._blocks
        return math.sqrt(max(self._squares[number] / self._blocks - mean * mean, 0.0))


class Forecast:
    """Finds some quantiles of a stream where they can be foretold.

    Memory is bounded, whatever the length of the stream.

    Parameters
    ----------
    shares : sequence of float
        The quantiles that will be asked for, from 0 to 1.
    size : int
        Number of values in the stream, at the most.
    """

    def __init__(self, shares: Sequence[float], size: int) -> None:
        self._size = size
        self._windows = Windows()
        self._spreads = {share: math.sqrt(share * (1 - share)) for share in shares}
        self._lumps = dict.fromkeys(shares, _LUMP)
        self._seen = 0
        self._next = _FIRST  # number of values at which the windows are narrowed
        self._block = 0  # size of a block
        self._sample: list[Values] = []
        self._sampled = 0
        self._places = np.empty(0, np.intp)  # in a block, where the sample is taken

    def add(self, values: Values) -> None:
        """Take the next block of values: any finite floats, always of the same dtype."""
        if self._seen >= self._next or self._windows.size > _TOO_MANY:
            self._narrow()
        self._windows.add(values)
        self._seen += values.size
        self._block = max(self._block, values.size)
        if self._places.size:
            self._take_sample(values)

    def _take_sample(self, values: Values) -> None:
        self._sample.append(values.take(self._places[self._places < values.size]))
        self._places = (self._places + int(self._block * _GOLDEN)) % self._block
        self._sampled += self._sample[-1].size
        if self._sampled > _SAMPLE:
            self._sample = [np.concatenate(self._sample)[::2]]
            self._sampled = self._sample[0].size
            self._places = self._places[::2]

    def find(self, rank: int) -> float | None:
        """Give the value of a rank (from 0), or None where no window holds it; minus zero is zero."""
        value = self._windows.at(rank)
        return None if value is None else float(value) + 0.0

    def second_look(self, ranks: Iterable[int]) -> Windows | None:
        """Give windows for a second pass that hold these ranks, or None where they would be too large."""
        ascending = np.sort(np.concatenate(self._sample))
        last = ascending.size - 1
        edges: list[_Edge] = []
        for rank in sorted(ranks):
            share = rank / self._seen
            wrong = _SURE * math.sqrt(max(share * (1 - share), 1 / ascending.size) * ascending.size)
            low, high = math.floor(share * last - wrong), math.ceil(share * last + wrong)
            window = [
                _Edge(ascending[low] if low > 0 else -math.inf, False),
                _Edge(ascending[high] if high < last else math.inf, True),
            ]
            if edges and window[0] <= edges[-1]:
                edges[-1] = max(edges[-1], window[1])
            else:
                edges += window
        kept = sum(each.place(ascending) * (-1) ** (number + 1) for number, each in enumerate(edges))
        if kept / ascending.size * self._seen > _TOO_MANY:
            return None
        return Windows(edges, [number % 2 == 0 for number in range(len(edges) - 1)], [0] * len(edges))

    def _narrow(self) -> None:
        """Foretell where the quantiles will be, and keep nothing but windows around these places."""
        self._next = 2 * self._seen
        if self._size < _WORTHWHILE * self._next:
            self._next = self._size
        old = self._windows
        windows = [window for share in self._spreads if (window := self._window(share))]
        edges = sorted({edge for window in windows for edge in window})
        ascending = old.ascending()
        if not self._sample:
            # All that has been seen is here, sorted: this sample is as good as can be.
            self._places = (np.arange(_SAMPLED) * _GOLDEN % 1 * self._block).astype(np.intp)
            self._sample = [ascending[:: max(self._block // _SAMPLED, 1)].copy()]
            self._sampled = self._sample[0].size
        below = [old.count_below(edge) for edge in edges]
        places = [edge.place(ascending) for edge in edges]
        keeps = [
            low.value != high.value
            and any(window[0] <= low and high <= window[-1] for window in windows)
            # Of an old gap between windows nothing is known but a number.
            and places[number + 1] - places[number] == below[number + 1] - below[number]
            for number, (low, high) in enumerate(pairwise(edges))
        ]
        pieces = [ascending[places[number] : places[number + 1]] for number, kept in enumerate(keeps) if kept]
        self._windows = Windows(edges, keeps, below, np.concatenate([ascending[:0], *pieces]))

    def _window(self, share: float) -> list[_Edge]:
        """Edges around a quantile, and around each value in the window that is frequent."""
        middle = share * (self._seen - 1)
        reach = self._reach(share)
        first, last = max(middle - reach, 0), min(middle + reach, self._seen - 1)
        ranks = sorted(
            {round(first + (last - first) * step / _PROBES) for step in range(_PROBES + 1)} | {round(middle)}
        )
        probes = [self._windows.at(rank) for rank in ranks]
        start = end = ranks.index(round(middle))
        if probes[start] is None:
            return []
        while start > 0 and probes[start - 1] is not None:
            start -= 1
        while end + 1 < len(probes) and probes[end + 1] is not None:
            end += 1
        probes = probes[start : end + 1]
        # What was counted before was not kept.
        alone = {value for value in self._windows.counted if probes[0] <= value <= probes[-1]}
        alone |= {value for value in set(probes) if self._is_frequent(value)}
        edges = {_Edge(probes[0], False), _Edge(probes[-1], True)}
        return sorted(edges | {_Edge(value, above) for value in alone for above in (False, True)})

    def _is_frequent(self, value: Any) -> bool:
        low, high = (_Edge(value, above).place(self._windows.ascending()) for above in (False, True))
        return high - low > _FREQUENT

    def _reach(self, share: float) -> float:
        """How many ranks a quantile may still move by: no farther than memory allows."""
        spread = max(self._spreads[share], 1 / math.sqrt(self._seen))
        chance = spread * math.sqrt(self._seen)  # standard deviation if each value were drawn alone
        seen = math.sqrt(self._seen / self._block) * self._windows.deviation(share * self._seen)
        # What is believed of the lumps fades as more is seen of them.
        self._lumps[share] = max(_DEVIATIONS * max(seen / chance, 1.0), self._lumps[share] / 2)
        fair = spread / sum(self._spreads.values())
        return min(self._lumps[share] * chance, fair * _BUDGET / 2)
