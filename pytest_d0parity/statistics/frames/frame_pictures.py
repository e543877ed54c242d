"""What a page shows of the frames and a log does not hold: their mean pattern, and one value of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame_statistics import FrameStatistics

_SIDE = 128  # pixels of a mean pattern that are kept, at most
_FRAMES = 4096  # values of frames that are kept, at most


@dataclass(frozen=True)
class FramePictures:
    """The mean pattern of a dataset, and one value of each frame, as bytes that any process and the cache can keep.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the mean pattern, as it is kept.
    binned : int
        Pixels of a frame in a row and in a column of one pixel of it.
    pattern : bytes
        The mean of at most 512 evenly spread frames, in the unit of ``diff3d``: little-endian float32, row by row.
    values : bytes
        Of each frame its photons, or, where these are not counted, the mean of its pixels; little-endian float32, in
        the order of the frames.
    every : int
        The distance of the frames of these values: 1 where there is one for each.
    """

    shape: tuple[int, int]
    binned: int
    pattern: bytes
    values: bytes
    every: int

    @property
    def pattern_array(self) -> NDArray[np.float32]:
        """The mean pattern, of `shape`."""
        return np.frombuffer(self.pattern, "<f4").reshape(self.shape)

    @property
    def values_array(self) -> NDArray[np.float32]:
        """The values of the frames, of shape (n,)."""
        return np.frombuffer(self.values, "<f4")


def frame_pictures(frames: FrameStatistics, photons: NDArray[np.float64] | None) -> FramePictures | None:
    """Return what is shown of the frames of a stack; None where they are no patterns of rows and columns.

    Parameters
    ----------
    photons : (n,) ndarray of float64, or None
        Of each frame, in the order of the stream; None where they are not counted.
    """
    pattern = frames.sample.mean_pattern()
    if pattern is None:
        return None
    binned = math.ceil(max(pattern.shape) / _SIDE)
    kept = average_squares(pattern, binned)
    values = frames.stack.in_order(frames.means() if photons is None else photons)
    every = math.ceil(len(values) / _FRAMES) or 1
    with np.errstate(all="ignore"):  # what float32 cannot hold is shown as infinite
        return FramePictures(
            shape=(kept.shape[0], kept.shape[1]),
            binned=binned,
            pattern=kept.astype("<f4").tobytes(),
            values=values[::every].astype("<f4").tobytes(),
            every=every,
        )


def average_squares(values: NDArray[Any], step: int) -> NDArray[Any]:
    """Average squares of pixels; those at the lower and right edges may be smaller."""
    if step == 1:
        return values
    starts = [np.arange(0, length, step) for length in values.shape]
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    counts = [np.diff([*start, length]) for start, length in zip(starts, values.shape, strict=True)]
    return np.asarray(sums / np.outer(*counts))
