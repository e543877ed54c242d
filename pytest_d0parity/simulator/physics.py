"""What is measured, however it is kept: a probe, an object, and the photons that reach the detector.

A defocused, unit-norm probe illuminates a complex object at random positions. Each exit wave propagates to the far
field by a Fourier transform; those of incoherent modes add up as intensities. The intensities are scaled to the wanted
mean number of photons per pattern, and replaced by Poisson counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

N = 64  # side of a pattern in pixels
OBJECT = 232  # side of the object in pixels
CHUNK = 256  # frames in memory at a time

_POWERS = (0.8, 0.15, 0.05)  # of the modes of a probe


def make_probe() -> Complex:
    """Return a defocused probe behind a circular aperture, of unit L2 norm and shape (64, 64)."""
    frequency = np.fft.fftfreq(N)
    radius = np.hypot(*np.meshgrid(frequency, frequency, indexing="ij"))
    aperture = 1 / (1 + np.exp((radius - 0.14) / 0.012))
    wave = np.fft.fftshift(np.fft.ifft2(aperture * np.exp(-1j * np.pi * 420 * radius**2)))
    # The envelope makes the probe vanish at the borders, where the Fourier transform is periodic.
    offset = np.arange(N) - N / 2
    envelope = np.exp(-(np.hypot(*np.meshgrid(offset, offset, indexing="ij")) ** 2) / (2 * 9.0**2))
    probe = wave * envelope
    return np.asfortranarray(probe / np.sqrt(np.sum(np.abs(probe) ** 2)))


def make_modes() -> Complex:
    """Return three orthogonal modes of a probe, of shape (3, 64, 64): their powers are 0.8, 0.15 and 0.05.

    The first one has the form of `make_probe`; the others are made of it times the row and the column.
    """
    probe = make_probe()
    row, column = np.mgrid[:N, :N] - N / 2
    basis, _ = np.linalg.qr(np.stack([probe, row * probe, column * probe]).reshape(3, -1).T)
    modes: Complex = np.sqrt(_POWERS)[:, None, None] * basis.T.reshape(3, N, N)
    return modes


def make_object(rng: np.random.Generator) -> Complex:
    """Return an object of overlapping discs that absorb weakly and shift the phase, of shape (232, 232)."""
    row, column = np.mgrid[:OBJECT, :OBJECT]
    thickness = np.zeros((OBJECT, OBJECT))
    for centre_row, centre_column, radius in rng.uniform((0, 0, 6), (OBJECT, OBJECT, 24), size=(90, 3)):
        thickness[np.hypot(row - centre_row, column - centre_column) < radius] += 1.0
    specimen: Complex = np.exp((-0.03 + 0.25j) * thickness)
    return specimen


def draw_corners(frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return row and column of where the probe's first pixel lies on the object, of shape (n, 2), in pixels."""
    return rng.integers(0, OBJECT - N + 1, size=(frames, 2))


@dataclass(frozen=True, eq=False)
class Scene:
    """What is illuminated, by what, and where.

    Attributes
    ----------
    probe : ndarray
        Of shape (64, 64), or (p, 64, 64) with p incoherent modes; their powers add up to one.
    specimen : ndarray
        The object, of shape (232, 232).
    corners : ndarray
        From `draw_corners`.
    """

    probe: Complex
    specimen: Complex
    corners: NDArray[np.int64]

    def patches(self) -> Iterator[Complex]:
        """Yield the parts of the object that are illuminated, in chunks of shape (m, 64, 64)."""
        windows = np.lib.stride_tricks.sliding_window_view(self.specimen, (N, N))
        for start in range(0, len(self.corners), CHUNK):
            corners = self.corners[start : start + CHUNK]
            yield windows[corners[:, 0], corners[:, 1]]

    def intensities(self) -> Iterator[NDArray[np.float64]]:
        """Yield the intensities of the patterns, before they are scaled to a dose, in chunks."""
        modes = [self.probe] if self.probe.ndim == 2 else list(self.probe)
        for patches in self.patches():
            yield reduce(np.add, [_propagate(mode, patches) for mode in modes])

    @cached_property
    def power_and_peak(self) -> tuple[float, float]:
        """Return the sum over a pattern of the intensities, averaged over the patterns, and the brightest pixel."""
        found = [(float(part.sum()), float(part.max())) for part in self.intensities()]
        power = sum(total for total, _ in found) / max(len(self.corners), 1)
        return power, max((peak for _, peak in found), default=0.0)


def _propagate(mode: Complex, patches: Complex) -> NDArray[np.float64]:
    far = np.fft.fftshift(np.fft.fft2(mode * patches, norm="ortho"), axes=(1, 2))
    return far.real**2 + far.imag**2


class Exposure:
    """The photons that the detector counts of a scene.

    Parameters
    ----------
    scene : Scene
        What is measured.
    photons : float
        Wanted photons per pattern, on average over the patterns.

    Attributes
    ----------
    photons : float
        As given.
    brightest : float
        The largest expected count of a pixel.
    """

    def __init__(self, scene: Scene, photons: float) -> None:
        power, peak = scene.power_and_peak
        self._scene = scene
        self._scale = photons / power if power else 0.0
        self.photons = photons
        self.brightest = peak * self._scale

    def counts(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield the counts of the patterns, in chunks of shape (m, 64, 64)."""
        for part in self._scene.intensities():
            yield rng.poisson(part * self._scale)
