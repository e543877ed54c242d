"""Arrays as streams of blocks at fixed places."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .moments import fold_rows

Values = NDArray[Any]


Wide = NDArray[np.float64]


BLOCK = 1 << 16  # elements; small enough for a core's own cache in float64


class Source(Protocol):
    """An array that can be streamed, again and again, in the order in which it is stored."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""

    @property
    def fortran_order(self) -> bool:
        """Whether the first index runs fastest in the stream."""

    def blocks(self, sizes: Iterable[int]) -> Iterator[Values]:
        """1-D pieces of these sizes; a piece is valid until the next one is asked for."""


class ArraySource:
    """An array in memory as a `Source`."""

    def __init__(self, array: ArrayLike) -> None:
        self._array = np.asarray(array)
        self.shape = self._array.shape
        self.dtype = self._array.dtype
        flags = self._array.flags
        self.fortran_order = bool(flags.f_contiguous and not flags.c_contiguous)

    def blocks(self, sizes: Iterable[int]) -> Iterator[Values]:
        """Yield views of the array, in its own memory order."""
        flat = self._array.ravel(order="F" if self.fortran_order else "C")
        start = 0
        for size in sizes:
            yield flat[start : start + size]
            start += size


def is_measurable(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is boolean, integer, real or complex."""
    return dtype.kind in "biufc"


def _frame_size(source: Source) -> int:
    """Give the number of values that belong together in the stream: those of a frame, or all."""
    if source.fortran_order or not source.shape:
        return math.prod(source.shape)
    return math.prod(source.shape[1:])


def _block_sizes(source: Source) -> Iterator[int]:
    """Cut an array at fixed places: whole frames where they fit into a block, else parts of one."""
    size, frame = math.prod(source.shape), _frame_size(source)
    if size == 0:
        return
    if frame <= BLOCK:
        yield from _cut(size, BLOCK // frame * frame)
    else:
        for _ in range(size // frame):
            yield from _cut(frame, BLOCK)


def _cut(size: int, step: int) -> Iterator[int]:
    for start in range(0, size, step):
        yield min(step, size - start)


@dataclass(frozen=True)
class Block:
    """Some consecutive values, as they go through a pass; they are valid until the next ones come.

    Attributes
    ----------
    finite : (k,) ndarray of float32 or float64
        The finite values; float32 where that holds every value of the stored dtype.
    rows : (m, n) ndarray of float64
        All positions, a frame or a part of one in each row; zero where the value is not finite.
    sums : (m,) ndarray of float64
        Of the rows.
    low, high : float
        The smallest and the largest of the finite values.
    lost : (m, n) ndarray of float64, or None
        One where the value is not finite, else zero; None when all are finite.
    """

    finite: Values
    rows: Wide
    sums: Wide
    low: float
    high: float
    lost: Wide | None


def _magnitude(values: Values) -> Values:
    if values.dtype.kind != "c":
        return values
    # hypot, not abs: NumPy's own abs of complex numbers rounds differently with the vector width.
    return np.hypot(values.real.astype(np.float64), values.imag.astype(np.float64))


def _phase(values: Values) -> Values:
    wide = values.astype(np.complex128)
    # The platform's own atan2, one by one: NumPy's differs in the last bit with version and vector width.
    angle = np.fromiter(map(math.atan2, wide.imag.tolist(), wide.real.tolist()), np.float64, wide.size)
    # Not finite where the amplitude is not, and in the same way: atan2 would make an angle of an infinity.
    magnitude = _magnitude(wide)
    return np.where(np.isfinite(magnitude), angle, magnitude)


def _pass(source: Source, part: Callable[[Values], Values]) -> Iterator[tuple[Block, int, int]]:
    """Stream the blocks of an array, each with its number of NaN and of infinite values."""
    frame = _frame_size(source)
    memory = np.empty(min(BLOCK, math.prod(source.shape)))
    for stored in source.blocks(_block_sizes(source)):
        values = part(stored)
        narrow = np.can_cast(values.dtype, np.float32, "safe")
        values = np.ascontiguousarray(values, dtype=np.float32 if narrow else np.float64)
        # The extremes come first, not by chance: the inflater may leave the vector registers in a state in which
        # NumPy's plainer loops run four times slower, and these loops are of the kind that puts it right.
        low, high = float(values.min()), float(values.max())
        rows = memory[: values.size].reshape(max(values.size // frame, 1), -1)
        rows[:] = values.reshape(rows.shape)
        # One NaN or infinity anywhere is one of the extremes; only then is a closer look needed.
        if math.isfinite(low) and math.isfinite(high):
            yield Block(values, rows, fold_rows(rows), low, high, None), 0, 0
            continue
        finite = np.isfinite(values)
        nans = int(np.count_nonzero(np.isnan(values)))
        infs = values.size - int(np.count_nonzero(finite)) - nans
        lost = (~finite).astype(np.float64).reshape(rows.shape)
        rows[lost > 0] = 0.0
        values = values[finite]
        low, high = float(values.min(initial=math.inf)), float(values.max(initial=-math.inf))
        yield Block(values, rows, fold_rows(rows), low, high, lost), nans, infs
