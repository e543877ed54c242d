"""Simulates a small photon-dose sweep, in the file layout of PtychoPINN's simulator.

A defocused, unit-norm probe illuminates a complex object at random positions. Each exit wave propagates
to the far field by a Fourier transform. The intensities are scaled to the wanted mean number of photons
per pattern, and replaced by Poisson counts. ``diff3d`` is the square root of the counts, times one
constant for the whole file.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

N = 64  # side of a pattern in pixels
OBJECT = 232  # side of the object in pixels
LEGACY_PHOTONS = 1e9  # nphotons in the params of a baseline run, whatever the dose is
_CHUNK = 256  # frames in memory at a time


def simulate_sweep(folder: str, doses: Sequence[str], frames: int, seed: int = 0, *, redraw: int = 0) -> list[str]:
    """Write one NPZ file for each dose.

    Parameters
    ----------
    folder : str
        The folder to write to.
    doses : sequence of str
        Mean photons per pattern, as they are spelled in the file names: ``"1e5"``.
    frames : int
        Number of patterns in each file.
    seed : int
        The same seed gives the same files. All files have the same probe, object and positions.
    redraw : int
        Another number draws other photons of the same sweep.

    Returns
    -------
    list of str
        The paths written: ``data_p<dose>.npz``.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    rng = np.random.default_rng(seed)
    probe = make_probe()
    specimen = _make_object(rng)
    corners = rng.integers(0, OBJECT - N + 1, size=(frames, 2))
    power = _mean_power(probe, specimen, corners)
    paths = []
    for dose in doses:
        path = os.path.join(folder, f"data_p{dose}.npz")
        photons = np.random.default_rng([seed, round(float(dose)), *([redraw] if redraw else [])])
        _write_dataset(path, float(dose), probe, specimen, corners, power, photons)
        paths.append(path)
    return paths


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


def _make_object(rng: np.random.Generator) -> Complex:
    """Return an object of overlapping discs that absorb weakly and shift the phase, of shape (232, 232)."""
    row, column = np.mgrid[:OBJECT, :OBJECT]
    thickness = np.zeros((OBJECT, OBJECT))
    for centre_row, centre_column, radius in rng.uniform((0, 0, 6), (OBJECT, OBJECT, 24), size=(90, 3)):
        thickness[np.hypot(row - centre_row, column - centre_column) < radius] += 1.0
    specimen: Complex = np.exp((-0.03 + 0.25j) * thickness)
    return specimen


def _patches(specimen: Complex, corners: NDArray[np.int64]) -> Complex:
    """Return the parts of the object that are illuminated, of shape (n, 64, 64)."""
    windows = np.lib.stride_tricks.sliding_window_view(specimen, (N, N))
    return windows[corners[:, 0], corners[:, 1]]


def _intensities(probe: Complex, specimen: Complex, corners: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    """Yield the intensities of the patterns, before they are scaled to a dose, in chunks."""
    for start in range(0, len(corners), _CHUNK):
        waves = probe * _patches(specimen, corners[start : start + _CHUNK])
        far = np.fft.fftshift(np.fft.fft2(waves, norm="ortho"), axes=(1, 2))
        yield far.real**2 + far.imag**2


def _mean_power(probe: Complex, specimen: Complex, corners: NDArray[np.int64]) -> float:
    """Return the sum over a pattern of the unscaled intensities, averaged over the patterns."""
    total = sum(float(part.sum()) for part in _intensities(probe, specimen, corners))
    return total / max(len(corners), 1)


def _write_dataset(
    path: str,
    dose: float,
    probe: Complex,
    specimen: Complex,
    corners: NDArray[np.int64],
    power: float,
    rng: np.random.Generator,
) -> None:
    frames = len(corners)
    y, x = (corners + N / 2).T
    amplitudes = (
        (np.sqrt(rng.poisson(part * (dose / power))) / np.sqrt(dose)).astype(np.float32)
        for part in _intensities(probe, specimen, corners)
    )
    patches = (
        _patches(specimen, corners[start : start + _CHUNK]).astype(np.complex64) for start in range(0, frames, _CHUNK)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, coordinate in (("xcoords", x), ("ycoords", y), ("xcoords_start", x), ("ycoords_start", y)):
            _write_member(archive, name, coordinate.shape, [np.ascontiguousarray(coordinate)])
        _write_member(archive, "diff3d", (frames, N, N), amplitudes, np.float32)
        _write_member(archive, "probeGuess", probe.shape, [probe])
        _write_member(archive, "objectGuess", specimen.shape, [specimen])
        _write_member(archive, "scan_index", (frames,), [np.zeros(frames, np.int64)])
        _write_member(archive, "ground_truth_patches", (frames, N, N, 1), patches, np.complex64)


def _write_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], parts: Iterable[NDArray[Any]], dtype: Any = None
) -> None:
    """Write an array part by part, as `numpy.save` does; without parts it is empty and of `dtype`."""
    parts = iter(parts)
    first = next(parts, np.empty(0, dtype))
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": bool(first.flags.f_contiguous and not first.flags.c_contiguous),
        "shape": shape,
    }
    # ZipInfo has a fixed date, so that the same seed gives the same bytes.
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in chain([first], parts):
            member.write(part.tobytes("A"))


def write_params(path: str, frames: int) -> None:
    """Write a ``params.dill`` like that of a baseline run: config and metrics in one dictionary.

    Parameters
    ----------
    path : str
        The file to write.
    frames : int
        Number of training images in the config.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import dill  # here, since it is slow to import

    config = {
        "N": N,
        "offset": 4,
        "gridsize": 1,
        "batch_size": 16,
        "nepochs": 50,
        "n_filters_scale": 2,
        "output_prefix": "simulated_baseline/",
        "default_probe_scale": 0.7,
        "mae_weight": 0.0,
        "nll_weight": 1.0,
        "tv_weight": 0.0,
        "nphotons": LEGACY_PHOTONS,
        "nimgs_train": frames,
        "nimgs_test": max(frames // 3, 1),
        "data_source": "generic",
        "probe.trainable": False,
        "intensity_scale.trainable": True,
        "probe.mask": False,
        "probe.big": True,
        "object.big": True,
        "model_type": "supervised",
        "label": "simulated_baseline",
        "size": 392,
        "timestamp": "08/26/2025, 16:38:17",
        "probe": make_probe().astype(np.complex64)[..., None],
        "intensity_scale": np.float32(np.sqrt(LEGACY_PHOTONS) / (N / 2)),
    }
    # Invented values, of the types that an evaluation produces: NumPy scalars, an int, a NaN, arrays.
    metrics = {
        "mae": (np.float32(0.0095), np.float64(5.4e-7)),
        "mse": (np.float32(0.0048), np.float64(1.0e-11)),
        "psnr": (71.3, 158.1),
        "ssim": (np.float64(np.nan), np.float64(0.99)),
        "ms_ssim": (np.float64(0.925), np.float64(0.921)),
        "frc50": (6, float("nan")),
        "frc1over7": (11, 40.0),
        "frc": (np.linspace(1.0, 0.0, N), None),
    }
    with open(path, "wb") as file:
        dill.dump(config | metrics, file, protocol=4)
