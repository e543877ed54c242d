"""Pictures of probes and mean patterns: amplitude, phase, and what differs."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....statistics.frames.frame_pictures import average_squares
from .colors import LEVELS, cyclic, diverging, sequential
from .png import encode_png

_GREY = 128  # the phase fades to it where there is no amplitude; it is no colour of the map
_STEPS = 12  # of a colour bar
# Pixels a side, for up to so many pictures: 2 MB in all, even where they are noise that cannot be compressed.
_SIDES = ((12, 256), (48, 128), (192, 64))
_SMALLEST = 32

Plane = NDArray[np.complex128]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes
    ----------
    source : str
        A PNG as a ``data:`` address.
    shape : (int, int)
        Rows and columns of the array, which may be more than those of the picture.
    bar : int
        Length of the scale bar in pixels of the array.
    scale : str
        Which colour bar is for it.
    top : float
        The value at the end of the colour bar.
    bottom : float
        The value at its beginning.
    """

    title: str
    source: str
    shape: tuple[int, int]
    bar: int
    scale: str
    top: float
    bottom: float = 0.0


@dataclass(frozen=True)
class Scale:
    """A colour bar: its name and its colours from the lower end to the upper."""

    name: str
    colors: Sequence[str]


def scales() -> list[Scale]:
    """Return the colour bars."""
    steps = np.linspace(0, LEVELS - 1, _STEPS).astype(int)
    return [
        Scale(name, [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colors[steps].tolist()])
        for name, colors in (("amplitude", sequential()), ("phase", cyclic()), ("difference", diverging()))
    ]


def picture_side(pictures: int) -> int:
    """Return the largest side of each of a number of pictures, in pixels, so that the page stays small."""
    return next((side for most, side in _SIDES if pictures <= most), _SMALLEST)


def to_plane(probe: NDArray[Any]) -> tuple[Plane, str] | None:
    """Return the first mode of a probe, which is shown as a picture.

    Parameters
    ----------
    probe : ndarray
        Real or complex, any shape.

    Returns
    -------
    plane : (m, n) ndarray of complex128
        With zeros where the probe is not finite, or is too large for its amplitude to be.
    remark : str
        What is not shown, in sentences; empty where all is.

    Otherwise None, where there is nothing to show.
    """
    plane = np.squeeze(probe)
    if not plane.size:
        return None
    if plane.ndim < 2:
        plane = plane.reshape(1, -1)
    remark = ""
    if plane.ndim > 2:
        remark = f"The first of {int(np.prod(plane.shape[:-2]))} modes."
        plane = plane.reshape(-1, *plane.shape[-2:])[0]
    with np.errstate(all="ignore"):
        wide = plane.astype(np.complex128)
        finite = np.abs(wide) < np.finfo(np.float64).max / 4  # differences and sums of neighbours are finite as well
    if not finite.all():
        remark = (
            f"{remark} {np.count_nonzero(~finite)} of {finite.size} values are not finite, and drawn as zero.".strip()
        )
    return np.where(finite, wide, 0), remark


def probe_pictures(plane: Plane, side: int, top: float | None = None) -> tuple[Picture, Picture]:
    """Return pictures of a probe: its amplitude, and its phase, faded by the amplitude.

    Parameters
    ----------
    plane : (m, n) ndarray of complex128
    side : int
        Largest number of pixels of a picture's side.
    top : float, optional
        Amplitude at the end of the colour bar; the largest one by default.
    """
    top = float(np.abs(plane).max()) if top is None else top
    return _amplitude("amplitude", plane, side, top), _phase("phase", plane, side)


def difference_pictures(plane: Plane, reference: Plane, side: int) -> tuple[Picture, Picture]:
    """Return pictures of the difference of two probes of one shape: its magnitude, and the difference of phase."""
    difference = plane - reference
    magnitude = _amplitude("magnitude of the difference", difference, side, float(np.abs(difference).max()))
    return magnitude, _phase("difference of phase", plane * reference.conj(), side, weight=np.abs(plane))


def magnitude_picture(title: str, plane: Plane, side: int) -> Picture:
    """Return a picture of the magnitude of an array."""
    return _amplitude(title, plane, side, float(np.abs(plane).max()))


def logarithmic_pictures(title: str, patterns: Sequence[NDArray[np.floating]], side: int, binned: int) -> list[Picture]:
    """Return pictures of mean patterns on one logarithmic scale, of six decades at most.

    Parameters
    ----------
    patterns : sequence of (h, w) ndarray
        Not negative; what is not finite or not positive is drawn as the smallest value.
    binned : int
        Pixels of a frame in a row of one pixel of a pattern.
    """
    positive = [values[np.isfinite(values) & (values > 0)] for values in patterns]
    top = max((float(values.max()) for values in positive if values.size), default=1.0)
    bottom = min((float(values.min()) for values in positive if values.size), default=top / 10)
    bottom = min(max(bottom, top * 1e-6), top / 1.001)
    pictures = []
    for values in patterns:
        pooled = average_squares(np.nan_to_num(values.astype(np.float64), posinf=top, neginf=0), _step(values, side))
        share = np.log(np.clip(pooled, bottom, top) / bottom) / math.log(top / bottom)
        image = encode_png((share * (LEVELS - 1)).round().astype(np.uint8), sequential())
        pictures.append(_picture(title, image, values, "logarithmic", top, bottom=bottom, binned=binned))
    return pictures


def difference_picture(
    values: NDArray[np.floating], reference: NDArray[np.floating], side: int, binned: int
) -> Picture:
    """Return a picture of the difference of two mean patterns of one shape, blue where the run has less."""
    with np.errstate(all="ignore"):
        difference = np.nan_to_num(values.astype(np.float64) - reference, posinf=0, neginf=0)
    top = float(np.abs(difference).max())
    share = average_squares(difference, _step(values, side)) / (top or 1.0) / 2 + 0.5
    image = encode_png((np.clip(share, 0, 1) * (LEVELS - 1)).round().astype(np.uint8), diverging())
    return _picture("difference", image, difference, "difference", top, bottom=-top, binned=binned)


def _amplitude(title: str, plane: Plane, side: int, top: float) -> Picture:
    step = _step(plane, side)
    values = average_squares(np.abs(plane), step) / (top or 1.0)
    levels = (np.clip(values, 0, 1) * (LEVELS - 1)).round().astype(np.uint8)
    return _picture(title, encode_png(levels, sequential()), plane, "amplitude", top)


def _phase(title: str, plane: Plane, side: int, weight: NDArray[np.float64] | None = None) -> Picture:
    step = _step(plane, side)
    weight = np.abs(plane) if weight is None else weight
    share = average_squares(weight / (weight.max() or 1.0), step)[..., np.newaxis]
    turn = np.angle(average_squares(plane / (np.abs(plane).max() or 1.0), step)) / (2 * np.pi) + 0.5
    colors = cyclic()[(turn * LEVELS).astype(int) % LEVELS]
    image = encode_png((share * colors + (1 - share) * _GREY).astype(np.uint8))
    return _picture(title, image, plane, "phase", np.pi)


def _step(plane: NDArray[Any], side: int) -> int:
    return math.ceil(float(max(plane.shape)) / side)


def _picture(
    title: str, png: bytes, plane: NDArray[Any], scale: str, top: float, *, bottom: float = 0.0, binned: int = 1
) -> Picture:
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    rows, columns = plane.shape[0] * binned, plane.shape[1] * binned
    return Picture(title, source, (rows, columns), _bar(columns), scale, top, bottom)


def _bar(columns: int) -> int:
    """Choose the length of a scale bar: 1, 2 or 5 times a power of ten, a quarter of the width or less."""
    best = 1
    for power in range(9):
        for first in (1, 2, 5):
            if first * 10**power <= columns / 4:
                best = first * 10**power
    return best
