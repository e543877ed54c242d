"""The mean intensity of each scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..util.errors import ParityError
from .levels import find_levels


class ScanIndexError(ParityError, ValueError):
    """A ``scan_index`` cannot be used; the message continues a sentence that begins with its name."""


@dataclass(frozen=True)
class ScanMeans:
    """The mean intensity of each scan.

    Attributes
    ----------
    scan_index : (m,) ndarray of int
        The different values of ``scan_index``, ascending.
    n_patterns : (m,) ndarray of int
        Number of frames whose mean is not NaN.
    means : (m,) ndarray of float64
        Mean of the frame means; NaN where the scan has none.
    n_frames : int
        Number of frames of the stack.
    """

    scan_index: NDArray[Any]
    n_patterns: NDArray[np.int64]
    means: NDArray[np.float64]
    n_frames: int

    @property
    def measured(self) -> NDArray[np.float64]:
        """The means that are not NaN."""
        return self.means[self.n_patterns > 0]


def scan_means(frame_means: NDArray[np.float64], scan_index: ArrayLike) -> ScanMeans:
    """Average the means of the frames of each scan.

    Parameters
    ----------
    frame_means : (n,) ndarray of float64
        Mean of each frame's pixels; a frame whose mean is NaN is left out.
    scan_index : (n,) array_like of int
        Which scan each frame belongs to; any integers.

    Raises
    ------
    ScanIndexError
        If `scan_index` is not integral or not of length n.
    """
    index = np.asarray(scan_index)
    check_scan_index(index.dtype, index.size, len(frame_means))
    scans, scan_of_frame = find_levels(index.reshape(-1))
    measured = ~np.isnan(frame_means)
    scan_of_frame = scan_of_frame[measured]
    # bincount adds frame after frame, which is a fixed order.
    totals = np.bincount(scan_of_frame, frame_means[measured], minlength=len(scans))
    frames = np.bincount(scan_of_frame, minlength=len(scans))
    with np.errstate(invalid="ignore"):
        return ScanMeans(scans, frames, totals / frames, len(frame_means))


def check_scan_index(dtype: np.dtype[Any], size: int, frames: int) -> None:
    """Raise `ScanIndexError` if a ``scan_index`` is not of an integer dtype, or has not one entry per frame."""
    if dtype.kind not in "iu":
        raise ScanIndexError(f"is {dtype}, but integers are expected: one per frame, naming its scan")
    if size != frames:
        raise ScanIndexError(f"has {size} entries, but diff3d has {frames} frames: one entry per frame is needed")
