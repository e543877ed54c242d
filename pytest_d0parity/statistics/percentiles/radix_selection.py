"""Exact order statistics of any stream, in several passes and in little memory.

A float's bit pattern, with the sign folded in, is an integer that sorts like the float: its key. The first
pass counts the leading 16 bits of the keys. Each further pass looks only at the few buckets, of keys that
begin alike, that hold a wanted rank, and counts the next 16 bits. Memory is that of the counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIGIT = 16  # bits of a key that one pass counts
_COUNT_AT_ONCE = 1 << 16  # digits that are collected before they are counted
_SORT_INSTEAD = 1 << 17  # a bucket of no more values is collected and sorted instead of counted


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """Return unsigned integers that sort like the floats."""
    bits = values.dtype.itemsize * 8
    raw: NDArray[Any] = values.view(f"u{bits // 8}")
    # Flip all bits of a negative float, whose magnitude sorts downwards, else the sign bit alone.
    flip = (values.view(f"i{bits // 8}") >> (bits - 1)).view(raw.dtype) | raw.dtype.type(1 << (bits - 1))
    keys: NDArray[Any] = raw ^ flip
    return keys


def _value(key: int, bits: int) -> float:
    """Return the float of a key. Minus zero becomes zero."""
    sign = 1 << (bits - 1)
    raw = key ^ sign if key & sign else key ^ (2 * sign - 1)
    return float(np.array([raw], f"u{bits // 8}").view(f"f{bits // 8}")[0]) + 0.0


class _Bucket:
    """The values whose keys begin with the same digits, `prefix`."""

    def __init__(self, prefix: int, digits: int, population: int, bits: int) -> None:
        self.prefix = prefix
        self.digits = digits
        self._shift = bits - _DIGIT * (digits + 1)
        self._collected: list[NDArray[Any]] | None = [] if population <= _SORT_INSTEAD else None
        self._counts = np.zeros(0 if self._collected is not None else 1 << _DIGIT, np.int64)
        self._uncounted: list[NDArray[np.uint16]] = []
        self._uncounted_size = 0

    def add(self, keys: NDArray[Any], prefixes: NDArray[Any]) -> None:
        if self.digits:
            keys = keys[prefixes == self.prefix]
        if self._collected is not None:
            self._collected.append(keys.copy())
        elif keys.size:
            self._uncounted.append((keys >> keys.dtype.type(self._shift)).astype(np.uint16))
            self._uncounted_size += keys.size
            if self._uncounted_size >= _COUNT_AT_ONCE:
                self._count()

    def _count(self) -> None:
        # Many at once: bincount takes as long for its 65536 counters as for as many values.
        digits = np.concatenate(self._uncounted).astype(np.intp)
        self._counts += np.bincount(digits, minlength=1 << _DIGIT)
        self._uncounted, self._uncounted_size = [], 0

    def close(self) -> None:
        if self._collected is not None:
            self._sorted = np.sort(np.concatenate(self._collected))
        else:
            if self._uncounted:
                self._count()
            self._ends = np.cumsum(self._counts)

    def find(self, rank: int) -> tuple[int, int, int | None]:
        """Find a rank of this bucket: the key so far, the rank among the values that share it, and their number.

        The number is None where the key is complete.
        """
        if self._collected is not None:
            return int(self._sorted[rank]), 0, None
        digit = int(np.searchsorted(self._ends, rank, side="right"))
        population = int(self._counts[digit])
        within = rank - (int(self._ends[digit]) - population)
        return self.prefix << _DIGIT | digit, within, population if self._shift else None


class RadixSelection:
    """Finds order statistics in several passes over a stream.

    Parameters
    ----------
    ranks : iterable of int
        The wanted ranks (from 0).

    Attributes
    ----------
    found : dict of int to float
        The values of the wanted ranks that have been found so far.
    """

    def __init__(self, ranks: Iterable[int]) -> None:
        self._bits = 0  # of a value
        self._buckets: dict[int, _Bucket] = {}
        self._digits = 0
        self._pending = {rank: (0, rank) for rank in ranks}
        self.found: dict[int, float] = {}

    @property
    def needs_pass(self) -> bool:
        """Whether another pass over the stream is needed."""
        return bool(self._pending)

    def add(self, finite: NDArray[Any]) -> None:
        """Add the next values of a pass: float32 or float64, finite."""
        keys = _keys(finite)
        if not self._buckets:
            self._bits = keys.dtype.itemsize * 8
            self._buckets = {0: _Bucket(0, 0, _SORT_INSTEAD + 1, self._bits)}
        # All buckets of a pass have prefixes of the same length; in the first pass it is zero.
        prefixes = keys >> keys.dtype.type(self._bits - _DIGIT * self._digits) if self._digits else keys
        for bucket in self._buckets.values():
            bucket.add(keys, prefixes)

    def close_pass(self) -> None:
        """Open the buckets for the next pass, or find the values, from the counts of this one."""
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
