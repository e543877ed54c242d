"""Frames and scans: the mean of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..util.errors import ParityError
from .blocks import Block, Source, Wide
from .moments import fold, fold_rows


class ScanIndexError(ParityError, ValueError):
    """A ``scan_index`` that cannot be used, said in words that follow its name."""


class FrameMeans:
    """The mean of each frame, collected while the stack streams by.

    Parameters
    ----------
    source : Source
        The stack; frames are counted by its first axis.
    """

    def __init__(self, source: Source) -> None:
        self._frames = source.shape[0]
        self._pixels = math.prod(source.shape[1:])
        self._by_pixel = source.fortran_order
        self._sums = np.zeros(self._frames)
        self._lost = np.zeros(self._frames)
        self._at = 0

    def add(self, block: Block) -> None:
        """Take the next block."""
        if self._by_pixel:
            self._add_by_pixel(self._sums, block.rows.reshape(-1))
            if block.lost is not None:
                self._add_by_pixel(self._lost, block.lost.reshape(-1))
        else:
            # Whole frames, or a part of one.
            first = self._at // self._pixels
            frames = slice(first, first + len(block.sums))
            self._sums[frames] += block.sums
            if block.lost is not None:
                self._lost[frames] += fold_rows(block.lost)
        self._at += block.rows.size

    def means(self) -> Wide:
        """Mean of the finite pixels of each frame; NaN for a frame that has none."""
        with np.errstate(all="ignore"):
            return self._sums / (self._pixels - self._lost)

    def _add_by_pixel(self, sums: Wide, wide: Wide) -> None:
        # In Fortran order the file holds one value of every frame, then the next of every frame.
        at = self._at % self._frames
        head = min(-at % self._frames, len(wide))
        sums[at : at + head] += wide[:head]
        rows = (len(wide) - head) // self._frames
        body = wide[head : head + rows * self._frames].reshape(rows, self._frames)
        sums += fold(body)
        tail = wide[head + body.size :]
        sums[: len(tail)] += tail


@dataclass(frozen=True)
class ScanMeans:
    """The mean intensity of each scan.

    Attributes
    ----------
    scan_index : (m,) ndarray of int
        The different values of ``scan_index``, ascending.
    n_patterns : (m,) ndarray of int
        Number of frames whose mean is a number.
    means : (m,) ndarray of float64
        Average of the frames' means; NaN where there is none.
    n_frames : int
        Number of frames in all.
    """

    scan_index: NDArray[Any]
    n_patterns: NDArray[np.int64]
    means: Wide
    n_frames: int

    @property
    def measured(self) -> Wide:
        """The means that are numbers."""
        return self.means[self.n_patterns > 0]


def scan_means(frame_means: Wide, scan_index: ArrayLike) -> ScanMeans:
    """Average the means of the frames of each scan.

    Parameters
    ----------
    frame_means : (n,) ndarray of float64
        Mean of each frame's pixels; a NaN frame is left out.
    scan_index : (n,) array_like of int
        Which scan each frame belongs to; any integers.

    Returns
    -------
    ScanMeans

    Raises
    ------
    ScanIndexError
        If `scan_index` is not integral or not of length n.
    """
    index = np.asarray(scan_index)
    check_scan_index(index.dtype, index.size, len(frame_means))
    scans, scan_of_frame = np.unique(index.reshape(-1), return_inverse=True)
    measured = ~np.isnan(frame_means)
    scan_of_frame = scan_of_frame[measured]
    # bincount adds frame after frame: a fixed order.
    totals = np.bincount(scan_of_frame, frame_means[measured], minlength=len(scans))
    frames = np.bincount(scan_of_frame, minlength=len(scans))
    with np.errstate(invalid="ignore"):
        return ScanMeans(scans, frames, totals / frames, len(frame_means))


def check_scan_index(dtype: np.dtype[Any], size: int, frames: int) -> None:
    """Say what is wrong with a ``scan_index`` of this dtype and size, if anything is."""
    if dtype.kind not in "iu":
        raise ScanIndexError(f"is {dtype}, but integers are expected: one per frame, naming its scan")
    if size != frames:
        raise ScanIndexError(f"has {size} entries, but diff3d has {frames} frames: one entry per frame is needed")
