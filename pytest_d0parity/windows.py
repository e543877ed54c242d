"""Exact order statistics of a stream in one pass, where the stream foretells them.

What has gone by tells about where the percentiles will be. Around each of them a window of values is
kept, narrower and narrower as more is known; of all other values only their number on either side is
counted. Counts are exact, so a rank that falls into a window in the end is exact as well. A rank that
does not (when the stream changes on its way) is not found, and somebody else has to look for it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows"]

Values = NDArray[Any]

_FIRST = 1 << 18  # values that are all kept before anything is foretold
_BUDGET = 1 << 19  # values in all windows together, when they have just been narrowed
_TOO_MANY = 1 << 21  # values kept, at which windows are narrowed before their time
_LUMP = 64  # pixels of a frame move together: as if only one in so many squared were drawn by chance
_PIECES = 1 << 10  # small arrays of kept values, each of which costs memory of its own
_PROBES = 8  # steps across a window; a value that fills one is counted instead of kept


class _Edge(NamedTuple):
    """A place between values: right below a value, or right above it. Edges sort by place."""

    value: Any
    above: bool

    def count(self, values: Values) -> tuple[int, NDArray[np.bool_]]:
        """Which values lie below the edge, and how many."""
        below = np.less_equal(values, self.value) if self.above else np.less(values, self.value)
        return int(np.count_nonzero(below)), below

    def place(self, ascending: Values) -> int:
        """How many of the sorted values lie below the edge."""
        return int(np.searchsorted(ascending, self.value, side="right" if self.above else "left"))


class Windows:
    """Keeps what is needed to find some quantiles of a stream.

    Memory is bounded, whatever the length of the stream.

    Parameters
    ----------
    shares : sequence of float
        The quantiles that will be asked for, from 0 to 1.
    """

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares
        self._seen = 0
        self._next = _FIRST  # number of values at which the windows are narrowed
        self._kept: list[Values] = []
        self._size = 0
        self._is_sorted = False
        # Interval i lies between edges i and i + 1; nothing outside is kept. Without edges all is kept.
        self._edges: list[_Edge] = []
        self._below: list[int] = []  # values below each edge
        self._keeps: list[bool] = []  # whether the values of an interval are kept

    def add(self, values: Values) -> None:
        """Take the next values: any finite floats, always of the same dtype."""
        if self._seen >= self._next or self._size > _TOO_MANY:
            self._narrow()
        self._seen += values.size
        if not self._edges:
            self._keep(values.copy())
            return
        inside = None
        kept = False
        for number, edge in enumerate(self._edges):
            count, below = edge.count(values)
            self._below[number] += count
            if self._keeps[number] != kept:
                # A value is kept if an odd number of the edges where keeping begins or ends lie above it.
                inside = below if inside is None else np.logical_xor(inside, below, out=inside)
                kept = not kept
        if inside is not None:
            self._keep(values.compress(inside))

    def find(self, rank: int) -> float | None:
        """Give the value of a rank (from 0), or None where no window holds it; minus zero is zero."""
        value = self._at(self._sorted(), rank)
        return None if value is None else float(value) + 0.0

    def _keep(self, values: Values) -> None:
        self._kept.append(values)
        self._size += values.size
        self._is_sorted = False
        if len(self._kept) > _PIECES:
            self._kept = [np.concatenate(self._kept)]

    def _sorted(self) -> Values:
        if not self._is_sorted:
            self._kept = [np.concatenate(self._kept)]
            self._kept[0].sort()
            self._is_sorted = True
        return self._kept[0]

    def _at(self, ascending: Values, rank: int) -> Any:
        if not self._edges:
            return ascending[rank]
        number = bisect_right(self._below, rank) - 1
        if number < 0 or number == len(self._edges) - 1:
            return None
        if self._keeps[number]:
            return ascending[self._edges[number].place(ascending) + rank - self._below[number]]
        low, high = self._edges[number : number + 2]
        return low.value if low.value == high.value else None

    def _narrow(self) -> None:
        """Foretell where the quantiles will be, and keep nothing but windows around these places."""
        self._next = 2 * self._seen
        ascending = self._sorted()
        windows = [window for share in self._shares if (window := self._window(ascending, share))]
        edges = sorted({edge for window in windows for edge in window})
        below = [self._count_below(ascending, edge) for edge in edges]
        places = [edge.place(ascending) for edge in edges]
        keeps = [
            low.value != high.value
            and any(window[0] <= low and high <= window[-1] for window in windows)
            # Of an old gap between windows nothing is known but a number.
            and places[number + 1] - places[number] == below[number + 1] - below[number]
            for number, (low, high) in enumerate(zip(edges, edges[1:], strict=False))
        ]
        pieces = [ascending[places[i] : places[i + 1]] for i, kept in enumerate(keeps) if kept]
        self._edges, self._below, self._keeps = edges, below, [*keeps, False]
        self._kept = [np.concatenate([ascending[:0], *pieces])]
        self._size = self._kept[0].size  # still sorted

    def _window(self, ascending: Values, share: float) -> list[_Edge]:
        """Edges around a quantile, and around each value in the window that is frequent."""
        middle = share * (self._seen - 1)
        reach = self._reach(share)
        first, last = max(middle - reach, 0), min(middle + reach, self._seen - 1)
        ranks = sorted({round(first + (last - first) * step / _PROBES) for step in range(_PROBES + 1)} | {round(middle)})
        probes = [self._at(ascending, rank) for rank in ranks]
        centre = ranks.index(round(middle))
        if probes[centre] is None:
            return []
        start, end = centre, centre
        while start > 0 and probes[start - 1] is not None:
            start -= 1
        while end + 1 < len(probes) and probes[end + 1] is not None:
            end += 1
        probes = probes[start : end + 1]
        frequent = {one for one, other in zip(probes, probes[1:], strict=False) if one == other}
        # What was counted before was not kept.
        frequent |= {value for value in self._counted() if probes[0] <= value <= probes[-1]}
        return sorted(
            {_Edge(probes[0], False), _Edge(probes[-1], True)}
            | {_Edge(value, above) for value in frequent for above in (False, True)}
        )

    def _counted(self) -> list[Any]:
        return [low.value for low, high in zip(self._edges, self._edges[1:], strict=False) if low.value == high.value]

    def _reach(self, share: float) -> float:
        """How many ranks a quantile may still move by: a standard deviation of frames drawn as a whole."""
        spreads = {each: math.sqrt(max(each * (1 - each), 1 / self._seen)) for each in self._shares}
        scale = min(_LUMP * math.sqrt(self._seen), _BUDGET / (2 * sum(spreads.values())))
        return scale * spreads[share]

    def _count_below(self, ascending: Values, edge: _Edge) -> int:
        """How many of the values seen lie below an edge that is in an old window, or at its rim."""
        if not self._edges:
            return edge.place(ascending)
        number = bisect_right(self._edges, edge) - 1
        if self._edges[number] == edge:
            return self._below[number]
        return self._below[number] + edge.place(ascending) - self._edges[number].place(ascending)
