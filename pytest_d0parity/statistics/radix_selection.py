"""Exact order statistics of any stream, in passes and in little memory: for ranks that no window holds.

Values are selected by their bits: a float's bit pattern, with the sign folded in, is an integer of the
same order. One pass counts the leading 16 bits of these keys, and further passes look only into the
few buckets that hold a wanted rank. Memory is that of the counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

_DIGIT = 16  # bits of a key that one pass counts
_ENOUGH = 1 << 16  # digits are counted when there are so many
_COLLECT = 1 << 17  # so few values are kept and sorted instead of counted


def _keys(values: Values) -> Values:
    """Unsigned integers in the order of the floats."""
    bits = values.dtype.itemsize * 8
    raw: Values = values.view(f"u{bits // 8}")
    # All ones for a negative float (its magnitude counts downwards), else the sign bit alone.
    flip = (values.view(f"i{bits // 8}") >> (bits - 1)).view(raw.dtype) | raw.dtype.type(1 << (bits - 1))
    keys: Values = raw ^ flip
    return keys


def _value(key: int, bits: int) -> float:
    """Turn a key back into its float; minus zero becomes zero."""
    sign = 1 << (bits - 1)
    raw = key ^ sign if key & sign else key ^ (2 * sign - 1)
    return float(np.array([raw], f"u{bits // 8}").view(f"f{bits // 8}")[0]) + 0.0


class _Bucket:
    """The values whose keys begin with the same digits."""

    def __init__(self, prefix: int, digits: int, population: int, bits: int) -> None:
        self.prefix = prefix
        self.digits = digits
        self._shift = bits - _DIGIT * (digits + 1)
        self._kept: list[Values] | None = [] if population <= _COLLECT else None
        self._counts = np.zeros(0 if self._kept is not None else 1 << _DIGIT, np.int64)
        self._waiting: list[NDArray[np.uint16]] = []
        self._length = 0

    def add(self, keys: Values, prefixes: Values) -> None:
        if self.digits:
            keys = keys[prefixes == self.prefix]
        if self._kept is not None:
            self._kept.append(keys.copy())
        elif keys.size:
            self._waiting.append((keys >> keys.dtype.type(self._shift)).astype(np.uint16))
            self._length += keys.size
            if self._length >= _ENOUGH:
                self._count()

    def _count(self) -> None:
        # Few at a time, the counters would cost more than the values.
        digits = np.concatenate(self._waiting).astype(np.intp)
        self._counts += np.bincount(digits, minlength=1 << _DIGIT)
        self._waiting, self._length = [], 0

    def close(self) -> None:
        if self._kept is not None:
            self._sorted = np.sort(np.concatenate(self._kept))
        else:
            if self._waiting:
                self._count()
            self._ends = np.cumsum(self._counts)

    def find(self, rank: int) -> tuple[int, int, int | None]:
        """Where a rank of this bucket lies: key so far, rank within it, and its population (None: found)."""
        if self._kept is not None:
            return int(self._sorted[rank]), 0, None
        digit = int(np.searchsorted(self._ends, rank, side="right"))
        population = int(self._counts[digit])
        within = rank - (int(self._ends[digit]) - population)
        return self.prefix << _DIGIT | digit, within, population if self._shift else None


class Selection:
    """Finds order statistics in passes over a stream.

    Parameters
    ----------
    ranks : iterable of int
        Which are wanted (from 0).

    Attributes
    ----------
    found : dict of int to float
        The values of the wanted ranks, as far as they are known.
    """

    def __init__(self, ranks: Iterable[int]) -> None:
        self._bits = 0  # of a value
        self._buckets: dict[int, _Bucket] = {}
        self._digits = 0
        self._pending = {rank: (0, rank) for rank in ranks}
        self.found: dict[int, float] = {}

    @property
    def needs_pass(self) -> bool:
        """Whether the stream has to go by once more."""
        return bool(self._pending)

    def add(self, finite: Values) -> None:
        """Take the next values of a pass: float32 or float64, finite."""
        keys = _keys(finite)
        if not self._buckets:
            self._bits = keys.dtype.itemsize * 8
            self._buckets = {0: _Bucket(0, 0, _COLLECT + 1, self._bits)}
        # All buckets of a pass have prefixes of one length; the first one has none at all.
        prefixes = keys >> keys.dtype.type(self._bits - _DIGIT * self._digits) if self._digits else keys
        for bucket in self._buckets.values():
            bucket.add(keys, prefixes)

    def close_pass(self) -> None:
        """Narrow down by what the pass has counted."""
        opened: dict[int, _Bucket] = {}
        pending: dict[int, tuple[int, int]] = {}
        for bucket in self._buckets.values():
            bucket.close()
        for rank, (prefix, within) in self._pending.items():
            bucket = self._buckets[prefix]
            key, inner, population = bucket.find(within)
            if population is None:
                self.found[rank] = _value(key, self._bits)
            else:
                pending[rank] = (key, inner)
                if key not in opened:
                    opened[key] = _Bucket(key, bucket.digits + 1, population, self._bits)
        self._buckets, self._pending = opened, pending
        self._digits += 1
