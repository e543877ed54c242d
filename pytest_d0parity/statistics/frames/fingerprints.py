"""Fingerprints of frames: exact integers by which two files are seen to hold the same frames, in whatever order."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocks import Block
from ..stack import Stack

_WORD = 8  # bytes


class FrameFingerprints:
    """The fingerprint of each frame, collected during the first pass over the stack.

    The fingerprint of a frame is the sum, modulo 2^64, of the bit patterns of its pixels as unsigned integers of their
    own width. It is the same wherever the pixels stand in the frame, and in either byte order. Complex values count as
    their two parts, and wider types in words of 64 bits.

    Parameters
    ----------
    stack : Stack
        The patterns.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pixels = math.prod(stack.shape[1:])
        self._sums = np.zeros(stack.shape[0], np.uint64)
        self._position = 0

    def add(self, block: Block) -> None:
        """Add the next block."""
        size = block.stored.size
        if self._stack.interleaved > 1:
            self._add_alternating(_words(block.stored).reshape(size, -1))
        else:
            # Whole frames, or a part of one.
            first = self._position // self._pixels
            rows = block.rows.shape[0]
            self._sums[first : first + rows] += np.add.reduce(
                _words(block.stored).reshape(rows, -1), axis=1, dtype=np.uint64
            )
        self._position += size

    def _add_alternating(self, words: NDArray[Any]) -> None:
        # The stream holds the first pixel of all frames that alternate, then the second of all of them, ...
        patterns = np.add.reduce(words, axis=1, dtype=np.uint64)
        unit, place = divmod(self._position, self._stack.unit)
        alternating = self._stack.interleaved
        sums = self._sums[unit * alternating : (unit + 1) * alternating]
        frame = place % alternating
        head = min(-frame % alternating, len(patterns))
        sums[frame : frame + head] += patterns[:head]
        rows = (len(patterns) - head) // alternating
        body = patterns[head : head + rows * alternating].reshape(rows, alternating)
        sums += np.add.reduce(body, axis=0)
        tail = patterns[head + body.size :]
        sums[: len(tail)] += tail

    @property
    def order(self) -> str:
        """SHA-256 of the fingerprints, as little-endian integers of 64 bits, in the order of the frames."""
        return _sha256(self._stack.in_order(self._sums))

    @property
    def set(self) -> str:
        """SHA-256 of the fingerprints in ascending order."""
        return _sha256(np.sort(self._sums))


def _sha256(sums: NDArray[np.uint64]) -> str:
    return hashlib.sha256(sums.astype("<u8").tobytes()).hexdigest()


def _words(stored: NDArray[Any]) -> NDArray[Any]:
    """Return the bit patterns of values as unsigned integers, of the width of a value or of a part of it."""
    dtype = stored.dtype
    width = min(dtype.itemsize // (2 if dtype.kind == "c" else 1), _WORD)
    order = dtype.byteorder if dtype.byteorder in "<>" else "="
    words = np.ascontiguousarray(stored).view(np.dtype(f"{order}u{width}"))
    return words.astype(words.dtype.newbyteorder("="), copy=False)
