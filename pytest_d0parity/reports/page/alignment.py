"""What is left of the difference of two probes once both lie upon each other.

A probe is known up to a shift, a factor and a global phase: a reconstruction that starts from another one is none the
worse for these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LARGEST = 1 << 22  # pixels; a Fourier transform of more would take longer than the page


@dataclass(frozen=True)
class Alignment:
    """The best way to lay an array upon the reference's.

    Attributes
    ----------
    difference : (m, n) ndarray of complex128
        What is left of the difference, in the unit of the reference.
    shift : (int, int)
        Rows and columns by which the array lies farther down and to the right.
    factor : float
        By which its amplitude is larger.
    phase : float
        In radians, by which its phase is ahead.
    left : float
        Power of the difference that is left, as a share of the reference's.
    """

    difference: NDArray[np.complex128]
    shift: tuple[int, int]
    factor: float
    phase: float
    left: float

    @property
    def sentence(self) -> str:
        """What was done, and what is left."""
        rows, columns = self.shift
        moved = f"a shift by ({rows}, {columns}) pixels, " if rows or columns else ""
        return (
            f"Once {moved}a factor of {self.factor:.4f} and a phase of {self.phase:+.3f} rad are taken out, "
            f"{100 * self.left:.3g} % of the power differ."
        )


def align(array: NDArray[np.complex128], reference: NDArray[np.complex128]) -> Alignment | None:
    """Find shift, factor and phase between two arrays of one shape by the largest value of their correlation.

    Parameters
    ----------
    array, reference : (m, n) ndarray of complex128
        Finite.

    Returns
    -------
    Alignment or None
        None where one of them is zero, or they are too large.
    """
    scale, unit = (float(np.abs(each).max()) for each in (array, reference))
    if not scale or not unit or array.size > _LARGEST:
        return None
    ours, theirs = array / scale, reference / unit
    correlation = np.fft.ifft2(np.fft.fft2(ours) * np.fft.fft2(theirs).conj())
    row, column = np.unravel_index(int(np.argmax(np.abs(correlation))), array.shape)
    moved = np.roll(ours, (-int(row), -int(column)), axis=(0, 1))
    factor = complex(np.vdot(theirs, moved) / np.vdot(theirs, theirs))
    if not factor:
        return None
    difference = moved / factor - theirs
    shift = [
        int(place) - length * (place > length // 2) for place, length in zip((row, column), array.shape, strict=True)
    ]
    return Alignment(
        difference=difference * unit,
        shift=(int(shift[0]), int(shift[1])),
        factor=abs(factor) * scale / unit,
        phase=float(np.angle(factor)),
        left=float(np.vdot(difference, difference).real / np.vdot(theirs, theirs).real),
    )
