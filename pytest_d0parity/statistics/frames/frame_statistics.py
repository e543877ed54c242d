"""What each frame of a stack holds: sums, extremes, and for some frames all values and the centre of mass.

Collected during the first pass over the stack, in memory that grows with the number of frames and not with their size.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocks import Block
from ..moments import pairwise_sum, row_sums
from ..stack import Stack

GROUPS = 16  # into which the frames are cut
SAMPLED = 512  # frames of which all values are kept, at most
_MAX_SAMPLE = 1 << 21  # values that are kept; of larger frames, every so many pixels
_SHORT_ROW = 1024  # of longer ones, a loop over the rows counts faster
_GOLDEN = 2654435769  # 2^32 times the golden ratio's fraction


def golden_order(frames: int) -> NDArray[np.int64]:
    """Return the frames in the order of the fractions of their numbers times the golden ratio.

    No raster of a scan is in step with this order.

    Returns
    -------
    (n,) ndarray of int
        By f * 2654435769 mod 2^32, ties by f.
    """
    keys = (np.arange(frames, dtype=np.uint64) * np.uint64(_GOLDEN)) & np.uint64(0xFFFFFFFF)
    return np.argsort(keys, kind="stable")


def sampled_frames(frames: int) -> NDArray[np.int64]:
    """Return at most 512 of the frames, evenly spread in golden order, and in that order."""
    order = golden_order(frames)
    return order if frames <= SAMPLED else order[np.arange(SAMPLED) * frames // SAMPLED]


def groups_of(length: int) -> list[slice]:
    """Return the places of the sixteen groups among so many frames in golden order."""
    return [slice(g * length // GROUPS, (g + 1) * length // GROUPS) for g in range(GROUPS)]


@dataclass(frozen=True)
class _Piece:
    """Consecutive pixels of consecutive frames: `values` has a row for each frame, zero where there is no value.

    `stored` are the same values in the narrower type that holds them all, where there are no missing ones.
    """

    frames: slice
    pixels: slice
    values: NDArray[np.float64]
    stored: NDArray[Any]
    missing: NDArray[np.float64] | None


class FrameStatistics:
    """Collects, for each frame of a stack, what its standard errors and the grouped stage are made of.

    Parameters
    ----------
    stack : Stack
        The patterns.

    Attributes
    ----------
    n_frames : int
        Number of frames.
    sums, squares : (n,) ndarray of float64
        Of the finite values of each frame, and of their squares; like all that follows, in the order of the stream.
    nonzero : (n,) ndarray of float64
        Number of values that are not zero.
    low, high : (n,) ndarray of float64
        Extremes of the finite values; infinity and minus infinity where there is none.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.n_frames = stack.shape[0]
        self._pixels = math.prod(stack.shape[1:])
        self._alternate = stack.interleaved > 1
        self.sums, self.squares = np.zeros(self.n_frames), np.zeros(self.n_frames)
        self.low, self.high = np.full(self.n_frames, np.inf), np.full(self.n_frames, -np.inf)
        self.nonzero = np.zeros(self.n_frames)
        self._missing = np.zeros(self.n_frames)
        self.sample = FrameSample(stack)
        self._position = 0

    @property
    def counts(self) -> NDArray[np.float64]:
        """Number of finite values in each frame."""
        return self._pixels - self._missing

    def means(self) -> NDArray[np.float64]:
        """Return the mean of the finite pixels of each frame; NaN for a frame that has none."""
        with np.errstate(all="ignore"):
            return self.sums / self.counts

    def add(self, block: Block) -> None:
        """Add the next block, before its rows are overwritten."""
        for piece in self._pieces(block):
            if self._alternate:
                self.sums[piece.frames] += pairwise_sum(piece.values.T)
                self.squares[piece.frames] += pairwise_sum((piece.values * piece.values).T)
            else:
                self.sums[piece.frames] += block.sums
            if piece.missing is not None:
                self._missing[piece.frames] += piece.missing.sum(axis=1)  # whole numbers, in any order
            is_dark = block.min <= 0 <= block.max or piece.missing is not None
            self.nonzero[piece.frames] += (
                _row_counts(np.not_equal(piece.stored, 0)) if is_dark else piece.stored.shape[1]
            )
            low, high = self._extremes(block, piece)
            np.minimum(self.low[piece.frames], low, out=self.low[piece.frames])
            np.maximum(self.high[piece.frames], high, out=self.high[piece.frames])
            self.sample.add(piece)

    def add_deviations(self, block: Block, mean: float, deviations: NDArray[np.float64]) -> None:
        """Add the sums of the squared deviations of the block's rows from its mean, and go on to the next block.

        With them the squares need no pass of their own.
        """
        if not self._alternate:
            first = self._position // self._pixels
            frames = slice(first, first + len(block.sums))
            counts: Any = block.rows.shape[1]
            if block.non_finite is not None:
                counts = counts - block.non_finite.sum(axis=1)
            squares = deviations + mean * (2 * block.sums - mean * counts)
            squares[self.nonzero[frames] == 0] = 0  # and no rounding error: an empty frame is dark
            self.squares[frames] += squares
        self.skip(block)

    def skip(self, block: Block) -> None:
        """Go on to the next block."""
        self._position += block.rows.size

    def _extremes(self, block: Block, piece: _Piece) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if piece.missing is not None:
            lows = np.where(piece.missing > 0, np.inf, piece.values).min(axis=1)
            return lows, np.where(piece.missing > 0, -np.inf, piece.values).max(axis=1)
        if self._alternate:
            return piece.values.min(axis=1), piece.values.max(axis=1)
        return block.lows, block.highs

    def _pieces(self, block: Block) -> Iterator[_Piece]:
        if not self._alternate:
            first, pixel = divmod(self._position, self._pixels)
            frames, pixels = slice(first, first + len(block.rows)), slice(pixel, pixel + block.rows.shape[1])
            stored = block.rows if block.non_finite is not None else block.finite.reshape(block.rows.shape)
            yield _Piece(frames, pixels, block.rows, stored, block.non_finite)
            return
        # The stream holds the first pixel of all frames that alternate, then the second of all of them, ...
        alternating = self.stack.interleaved
        unit, place = divmod(self._position, self.stack.unit)
        values = block.rows.reshape(-1)
        missing = None if block.non_finite is None else block.non_finite.reshape(-1)
        start = 0
        while start < len(values):
            pixel, frame = divmod(place + start, alternating)
            whole = (len(values) - start) // alternating if frame == 0 else 0
            length = whole * alternating or min(alternating - frame, len(values) - start)
            parts = [
                None if each is None else each[start : start + length].reshape(max(whole, 1), -1).T
                for each in (values, missing)
            ]
            first = unit * alternating + frame
            frames, pixels = slice(first, first + length // max(whole, 1)), slice(pixel, pixel + max(whole, 1))
            assert parts[0] is not None  # noqa: S101 - for the type checker
            yield _Piece(frames, pixels, parts[0], parts[0], parts[1])
            start += length


def _row_counts(mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Count what is true in each row."""
    if mask.shape[1] < _SHORT_ROW:
        return np.asarray(np.add.reduce(mask, axis=1, dtype=np.int64))
    return np.array([np.count_nonzero(row) for row in mask])


class FrameSample:
    """The values of some frames; of large ones also sums over their rows and columns.

    Attributes
    ----------
    frames : (m,) ndarray of int
        The frames, in golden order: see `sampled_frames`.
    values : (m, k) ndarray
        Their pixels, or of large frames evenly spaced ones; NaN where there is no value.
    """

    def __init__(self, stack: Stack) -> None:
        pixels = math.prod(stack.shape[1:])
        self.frames = sampled_frames(stack.shape[0])
        place = np.full(stack.shape[0], -1)
        place[self.frames] = np.arange(len(self.frames))
        in_stream = stack.in_stream_order(place)
        chosen = np.flatnonzero(in_stream >= 0)
        # Of each frame that is chosen, in the order of the stream: its position there, and its place in `values`.
        self._chosen: list[int] = chosen.tolist()  # in which bisecting is faster than in an array
        self._places = in_stream[chosen]
        self._stride = max(1, -(-len(self.frames) * pixels // _MAX_SAMPLE))
        narrow = np.can_cast(stack.dtype, np.float32, "safe")
        width = -(-pixels // self._stride)
        self.values = np.zeros((len(self.frames), width), np.float32 if narrow else np.float64)
        lengths = [length for length in stack.shape[1:] if length != 1]
        self._shape = (lengths[0], lengths[1]) if len(lengths) == 2 else None
        self._columns_first = stack.columns_first
        self._has_nan = False
        height, columns = self._shape or (0, 0)
        kept = len(self.frames) if self._stride > 1 else 0
        self._rows, self._columns = np.zeros((kept, height)), np.zeros((kept, columns))
        self._total = np.zeros(pixels if kept and self._shape is not None else 0)  # of all pixels of these frames

    def add(self, piece: _Piece) -> None:
        """Add consecutive pixels of consecutive frames."""
        begin, end = (bisect_left(self._chosen, frame) for frame in (piece.frames.start, piece.frames.stop))
        if begin == end:
            return
        rows = np.array(self._chosen[begin:end]) - piece.frames.start
        places, pixels = self._places[begin:end], piece.pixels
        if self._shape is not None and self._stride > 1:
            values = piece.values[rows]
            self._total[pixels] += np.add.reduce(values, axis=0)
            self._add_to_axes(places, pixels, values)
        first = -pixels.start % self._stride
        kept = piece.stored[rows, first :: self._stride]
        if piece.missing is not None:
            self._has_nan = True
            kept = np.where(piece.missing[rows, first :: self._stride] > 0, np.nan, kept)
        start = (pixels.start + first) // self._stride
        self.values[places, start : start + kept.shape[1]] = kept

    def _add_to_axes(self, places: NDArray[np.int64], pixels: slice, values: NDArray[np.float64]) -> None:
        """Add pixels to the sums over rows and over columns of their frames."""
        fast, slow = (self._rows, self._columns) if self._columns_first else (self._columns, self._rows)
        width = fast.shape[1]
        first, start = divmod(pixels.start, width)
        lines = -(-(start + values.shape[1]) // width)
        whole = values
        if start or values.shape[1] != lines * width:
            whole = np.zeros((len(values), lines * width))
            whole[:, start : start + values.shape[1]] = values
        whole = whole.reshape(len(values), lines, width)
        slow[places, first : first + lines] += row_sums(np.ascontiguousarray(whole).reshape(-1, width)).reshape(
            -1, lines
        )
        fast[places] += pairwise_sum(whole.transpose(1, 0, 2))

    @cached_property
    def group_profiles(self) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] | None:
        """Sums over the rows and over the columns of the frames of each of the sixteen groups."""
        if self._shape is None:
            return None
        rows, columns = [], []
        for part in groups_of(len(self.frames)):
            if self._stride > 1:
                rows.append(pairwise_sum(self._rows[part]))
                columns.append(pairwise_sum(self._columns[part]))
                continue
            values = np.nan_to_num(self.values[part]) if self._has_nan else self.values[part]
            # Over this axis, NumPy adds one frame after the other on every machine.
            total = np.add.reduce(values, axis=0, dtype=np.float64)
            mean = total.reshape(self._shape, order="F" if self._columns_first else "C")
            rows.append(pairwise_sum(mean.T))
            columns.append(pairwise_sum(mean))
        return rows, columns

    def mean_pattern(self) -> NDArray[np.float64] | None:
        """Return the mean of the frames, of shape (h, w); None where they are no patterns of rows and columns."""
        if self._shape is None:
            return None
        total = self._total
        if self._stride == 1:
            values = np.nan_to_num(self.values) if self._has_nan else self.values
            total = np.add.reduce(values, axis=0, dtype=np.float64)
        return total.reshape(self._shape, order="F" if self._columns_first else "C") / max(len(self.frames), 1)

    def centre(self) -> tuple[float, float] | None:
        """Return row and column of the centre of mass of the mean of the frames; None where there is none."""
        if self.group_profiles is None:
            return None
        row, column = (centre_of(pairwise_sum(np.array(profiles))) for profiles in self.group_profiles)
        return None if row is None or column is None else (row, column)


def centre_of(profile: NDArray[np.float64]) -> float | None:
    """Return the centre of mass of a profile; None where it has no weight."""
    weight = pairwise_sum(profile) if len(profile) else 0.0
    return float(pairwise_sum(profile * np.arange(len(profile))) / weight) if weight > 0 else None
