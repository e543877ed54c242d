"""Arrays as streams of blocks that begin and end at fixed positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .levels import count_levels
from .moments import row_sums

BLOCK_SIZE = 1 << 16  # elements; as float64 they fit into the cache of one core


class Source(Protocol):
    """An array that can be streamed, any number of times, in the order in which it is stored."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type as stored."""

    @property
    def fortran_order(self) -> bool:
        """Whether the first index runs fastest in the stream."""

    @property
    def unit(self) -> int:
        """Number of consecutive values of the stream that belong together; blocks are cut along them."""

    @property
    def row(self) -> int:
        """Number of values in a row of a `Block`, unless it holds a part of a unit alone; it divides the unit."""

    def blocks(self, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Yield 1-D pieces of these sizes; a piece is valid until the next one is asked for."""


class ArraySource:
    """An array in memory as a `Source`."""

    def __init__(self, array: ArrayLike) -> None:
        self._array = np.asarray(array)
        self.shape = self._array.shape
        self.dtype = self._array.dtype
        flags = self._array.flags
        self.fortran_order = bool(flags.f_contiguous and not flags.c_contiguous)
        self.unit = self.row = unit_of(self.shape, fortran_order=self.fortran_order)

    def blocks(self, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Yield pieces of the flattened array, in its own memory order."""
        flat = self._array.ravel(order="F" if self.fortran_order else "C")
        start = 0
        for size in sizes:
            yield flat[start : start + size]
            start += size


def unit_of(shape: tuple[int, ...], *, fortran_order: bool) -> int:
    """Return how many values belong to one index of the first axis; all of the array where that runs fastest."""
    return math.prod(shape) if fortran_order else math.prod(shape[1:])


def is_measurable(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is boolean, integer, real or complex."""
    return dtype.kind in "biufc"


def magnitude(values: NDArray[Any]) -> NDArray[Any]:
    """Return complex values as their magnitudes in float64, and all others as they are."""
    if values.dtype.kind != "c":
        return values
    # hypot, not abs: NumPy's own abs of complex numbers rounds differently with the vector width.
    return np.hypot(values.real.astype(np.float64), values.imag.astype(np.float64))


def phase(values: NDArray[Any]) -> NDArray[Any]:
    """Return the phase of each value in radians; NaN or infinite where its magnitude is."""
    values = values.astype(np.complex128)
    # The C library's atan2, element by element: the last bit of NumPy's differs with version and vector width.
    angles = np.fromiter(map(math.atan2, values.imag.tolist(), values.real.tolist()), np.float64, values.size)
    # atan2 gives an infinity a finite angle, but a value that is not finite is to be left out.
    magnitudes = magnitude(values)
    return np.where(np.isfinite(magnitudes), angles, magnitudes)


@dataclass(frozen=True)
class Block:
    """Some consecutive values of a stream; the arrays are valid until the next block is read.

    Attributes
    ----------
    stored : (m * n,) ndarray
        All values as they are stored.
    finite : (k,) ndarray of float32 or float64
        The finite values; float32 where that holds every value of the stored dtype.
    rows : (m, n) ndarray of float64
        All values, `Source.row` or a part of a unit in each row; zero where the value is not finite.
    sums : (m,) ndarray of float64
        Sums of the rows.
    lows, highs : (m,) ndarray
        Extremes of the rows, where all values are finite.
    min, max : float
        Over the finite values; infinity and minus infinity where there is none.
    non_finite : (m, n) ndarray of float64, or None
        One where the value is not finite, else zero; None when all are finite.
    nan_count, inf_count : int
        Number of NaN and of infinite values.
    """

    stored: NDArray[Any]
    finite: NDArray[Any]
    rows: NDArray[np.float64]
    sums: NDArray[np.float64]
    lows: NDArray[Any]
    highs: NDArray[Any]
    min: float
    max: float
    non_finite: NDArray[np.float64] | None = None
    nan_count: int = 0
    inf_count: int = 0

    @cached_property
    def levels(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The different finite values in ascending order, and how often each occurs."""
        return count_levels(self.finite)


def read_blocks(source: Source, transform: Callable[[NDArray[Any]], NDArray[Any]]) -> Iterator[Block]:
    """Stream an array once.

    Parameters
    ----------
    source : Source
        The array.
    transform : callable
        Makes real values of the stored ones: `magnitude` or `phase`.

    Yields
    ------
    Block
        Whole units, or parts of one. All blocks share one buffer.
    """
    buffer = np.empty(min(BLOCK_SIZE, math.prod(source.shape)))
    for stored in source.blocks(_block_sizes(source)):
        values = transform(stored)
        narrow = np.can_cast(values.dtype, np.float32, "safe")
        values = np.ascontiguousarray(values, dtype=np.float32 if narrow else np.float64)
        # Minimum and maximum must come first: after decompression the vector registers may be in a state in
        # which NumPy's simpler loops run four times slower, and these two loops reset it.
        rows = buffer[: values.size].reshape(max(values.size // source.row, 1), -1)
        lows, highs = values.reshape(rows.shape).min(axis=1), values.reshape(rows.shape).max(axis=1)
        low, high = float(lows.min()), float(highs.max())
        rows[:] = values.reshape(rows.shape)
        # Any NaN or infinity shows in the minimum or the maximum, so most blocks need no further check.
        if math.isfinite(low) and math.isfinite(high):
            yield Block(stored, values, rows, row_sums(rows), lows, highs, low, high)
        else:
            yield _block_with_non_finite(stored, values, rows)


def _block_with_non_finite(stored: NDArray[Any], values: NDArray[Any], rows: NDArray[np.float64]) -> Block:
    is_finite = np.isfinite(values)
    nan_count = int(np.count_nonzero(np.isnan(values)))
    non_finite = (~is_finite).astype(np.float64).reshape(rows.shape)
    rows[non_finite > 0] = 0.0
    finite = values[is_finite]
    return Block(
        stored=stored,
        finite=finite,
        rows=rows,
        sums=row_sums(rows),
        lows=np.empty(0),
        highs=np.empty(0),
        min=float(finite.min(initial=math.inf)),
        max=float(finite.max(initial=-math.inf)),
        non_finite=non_finite,
        nan_count=nan_count,
        inf_count=values.size - finite.size - nan_count,
    )


def _block_sizes(source: Source) -> Iterator[int]:
    """Cut an array at fixed positions: into whole units where they fit into a block, else into parts of one."""
    size, unit = math.prod(source.shape), source.unit
    if size == 0:
        return
    if unit <= BLOCK_SIZE:
        yield from _cut(size, BLOCK_SIZE // unit * unit)
    else:
        for _ in range(size // unit):
            yield from _cut(unit, BLOCK_SIZE)


def _cut(size: int, step: int) -> Iterator[int]:
    for start in range(0, size, step):
        yield min(step, size - start)
