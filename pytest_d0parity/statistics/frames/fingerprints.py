"""Fingerprints of frames: exact integers by which two files are seen to hold the same frames, in whatever order."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocks import Block, Source

_WORD = 8  # bytes


class FrameFingerprints:
    """The fingerprint of each frame, collected during the first pass over the stack.

    The fingerprint of a frame is the sum, modulo 2^64, of the bit patterns of its pixels as unsigned integers of their
    own width. It is the same wherever the pixels stand in the frame, and in either byte order. Complex values count as
    their two parts, and wider types in words of 64 bits.

    Parameters
    ----------
    source : Source
        The stack; its first axis counts the frames.
    """

    def __init__(self, source: Source) -> None:
        self._frames = source.shape[0]
        self._pixels = math.prod(source.shape[1:])
        self._fortran_order = source.fortran_order
        self._sums = np.zeros(self._frames, np.uint64)
        self._position = 0

    def add(self, block: Block) -> None:
        """Add the next block."""
        size = block.stored.size
        if self._fortran_order:
            self._add_in_fortran_order(_words(block.stored).reshape(size, -1))
        else:
            # Whole frames, or a part of one.
            first = self._position // self._pixels
            rows = block.rows.shape[0]
            self._sums[first : first + rows] += np.add.reduce(
                _words(block.stored).reshape(rows, -1), axis=1, dtype=np.uint64
            )
        self._position += size

    def _add_in_fortran_order(self, words: NDArray[Any]) -> None:
        # In Fortran order the stream holds the first pixel of every frame, then the second of every frame, ...
        patterns = np.add.reduce(words, axis=1, dtype=np.uint64)
        frame = self._position % self._frames
        head = min(-frame % self._frames, len(patterns))
        self._sums[frame : frame + head] += patterns[:head]
        rows = (len(patterns) - head) // self._frames
        body = patterns[head : head + rows * self._frames].reshape(rows, self._frames)
        self._sums += np.add.reduce(body, axis=0)
        tail = patterns[head + body.size :]
        self._sums[: len(tail)] += tail

    @property
    def order(self) -> str:
        """SHA-256 of the fingerprints, as little-endian integers of 64 bits, in the order of the frames."""
        return _sha256(self._sums)

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
