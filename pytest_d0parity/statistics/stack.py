"""A stack of patterns as a stream of frames, whichever axes of the array count them.

In the stream, either each frame follows the other as a whole, or some alternate pixel by pixel: in (h, w, n) all of
them, in (b, h, w, c) the c frames of each b, and so in arrays in Fortran order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import BLOCK_SIZE, Source


class Stack:
    """An array of patterns as a `blocks.Source`.

    Where the frames that alternate fit into one block, they are put one after the other here.

    Parameters
    ----------
    source : Source
        The array, of any shape.
    pixel_axes : range, optional
        Which of its axes are a pattern's rows and columns, next to each other; all others count frames, the last of
        them fastest. By default the first axis counts the frames, and the others are their pixels.

    Attributes
    ----------
    shape : tuple of int
        (n, h, w): the number of frames, and the lengths of the axes of pixels.
    dtype : numpy.dtype
        Data type as stored.
    unit, row : int
        Number of values in the frames that alternate, and in a row of a block: that of a frame, if none alternate.
    interleaved : int
        Number of frames that alternate pixel by pixel; 1 where each frame follows the other.
    columns_first : bool
        Whether the pixels of a frame are stored column by column.
    numbers : (n,) ndarray of int, or None
        The number of each frame, in the order of the stream; None where they come in order.
    """

    def __init__(self, source: Source, pixel_axes: range | None = None) -> None:
        axes = range(min(1, len(source.shape)), len(source.shape)) if pixel_axes is None else pixel_axes
        self._source = source
        before, pixels, after = (
            source.shape[: axes.start],
            source.shape[axes.start : axes.stop],
            source.shape[axes.stop :],
        )
        n_frames = math.prod(before) * math.prod(after)
        self.shape = (n_frames, *pixels)
        self.dtype = source.dtype
        self.fortran_order = source.fortran_order
        self.columns_first = source.fortran_order and len(pixels) > 1
        self._alternating = math.prod(before if source.fortran_order else after)
        self.unit = self._alternating * math.prod(pixels)
        self._puts_in_order = self._alternating > 1 and self.unit <= BLOCK_SIZE
        self.interleaved = 1 if self._puts_in_order else self._alternating
        self.row = math.prod(pixels) if self.interleaved == 1 else self.unit
        self.numbers = None
        if source.fortran_order and sum(length > 1 for length in (*before, *after)) > 1:
            self.numbers = np.arange(n_frames).reshape(*before, *after).T.reshape(-1)

    def blocks(self, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Yield pieces of these sizes, which are cut along `unit`: see `blocks.Source.blocks`."""
        for block in self._source.blocks(sizes):
            if self._puts_in_order:
                units = block.reshape(-1, math.prod(self.shape[1:]), self._alternating)
                yield np.ascontiguousarray(units.transpose(0, 2, 1)).reshape(-1)
            else:
                yield block

    def in_stream_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what there is for each frame, of shape (n,), in the order of the stream."""
        return values if self.numbers is None else values[self.numbers]

    def in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what there is for each frame of the stream, of shape (n,), in the order of the frames."""
        if self.numbers is None:
            return values
        ordered = np.empty_like(values)
        ordered[self.numbers] = values
        return ordered
