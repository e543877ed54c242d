"""Writes a small photon-dose sweep, by default in the file layout of PtychoPINN's simulator.

There, ``diff3d`` is the square root of the counts, times one constant for the whole file.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence

import numpy as np

from .arrangement import (
    arrange_patterns,
    convert_counts,
    group_neighbours,
    metadata_text,
    pattern_dtype,
    pattern_shape,
)
from .layouts import DEFAULT_LAYOUT, Layout, SimulationError, find_layout
from .npz_writer import write_array, write_text
from .physics import Exposure, N, Scene, draw_corners, make_modes, make_object, make_probe


def simulate_sweep(
    folder: str,
    doses: Sequence[str],
    frames: int,
    seed: int = 0,
    *,
    redraw: int = 0,
    layout: str = DEFAULT_LAYOUT,
) -> list[str]:
    """Write the NPZ files of each dose.

    Parameters
    ----------
    folder : str
        The folder to write to. It is made where it is not there.
    doses : sequence of str
        Mean photons per pattern, as they are spelled in the file names: ``"1e5"``.
    frames : int
        Number of patterns in each file, rounded up to whole groups. The second file of a pair has a third of them.
    seed : int
        The same seed gives the same files. All files have the same probe and object, and all files of one split the
        same positions.
    redraw : int
        Another number draws other photons of the same sweep.
    layout : str
        A name in `LAYOUTS`: how files and arrays are called, which axes the patterns have (64 x 64 pixels each), and
        in which unit they are. The photons are the same in all layouts that have the same positions and one mode.

    Returns
    -------
    list of str
        The paths written, in the order of the doses: ``data_p<dose>.npz`` by default.

    Raises
    ------
    SimulationError
        If there is no such layout, or two doses would share a file.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [os.path.relpath(path, folder) for path in simulate_sweep(folder, ["1e6"], frames=3, layout="dose-ladder")]
    ['lines_N64_tmc244_train.npz', 'lines_N64_tmc244_test.npz']
    """
    kept = find_layout(layout)
    paths = [[os.path.join(folder, name) for name in names] for names in _file_names(doses, kept)]
    scenes = _make_scenes(frames, seed, kept)
    for dose, of_dose in zip(doses, paths, strict=True):
        for split, (path, scene) in enumerate(zip(of_dose, scenes, strict=True)):
            entropy = [seed, round(float(dose)), *([redraw] if redraw else [])]
            source = np.random.SeedSequence(entropy, spawn_key=(split,) if split else ())
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            _write_dataset(path, scene, Exposure(scene, float(dose)), kept, np.random.default_rng(source))
    return [path for of_dose in paths for path in of_dose]


def _file_names(doses: Sequence[str], layout: Layout) -> list[list[str]]:
    """Return the names of the files of each dose, one for each split."""
    named = [
        [_file_name(dose, number, split, layout) for split in layout.splits] for number, dose in enumerate(doses, 1)
    ]
    seen: dict[str, str] = {}
    for dose, (first, *_) in zip(doses, named, strict=True):
        if first in seen:
            raise SimulationError(f"the doses {seen[first]} and {dose} would share the file {first}; leave one out")
        seen[first] = dose
    return named


def _file_name(dose: str, number: int, split: str, layout: Layout) -> str:
    photons = float(dose)
    mean_count = photons / N**2
    return layout.file.format(
        spelled=dose,
        photons=photons,
        whole=int(photons) if photons.is_integer() else photons,
        mean_count=round(mean_count) if mean_count >= 100 else f"{mean_count:g}",  # as people round them
        number=number,
        split=split,
    )


def _make_scenes(frames: int, seed: int, layout: Layout) -> list[Scene]:
    """Return what is measured for each split: the same probe and object, at other positions."""
    rng = np.random.default_rng(seed)
    probe = make_probe() if layout.modes == 1 else make_modes()
    specimen = make_object(rng)
    drawn = [draw_corners(number, rng) for number in layout.frames_per_file(frames)]
    return [Scene(probe, specimen, group_neighbours(corners, layout.channels)) for corners in drawn]


def _write_dataset(path: str, scene: Scene, exposure: Exposure, layout: Layout, rng: np.random.Generator) -> None:
    frames = len(scene.corners)
    y, x = (scene.corners + N / 2).T
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, coordinate in (("xcoords", x), ("ycoords", y), ("xcoords_start", x), ("ycoords_start", y)):
            write_array(archive, name, coordinate.shape, [np.ascontiguousarray(coordinate)])
        _write_patterns(archive, frames, exposure, layout, rng)
        write_array(archive, "probeGuess", scene.probe.shape, [scene.probe])
        write_array(archive, "objectGuess", scene.specimen.shape, [scene.specimen])
        if layout.scan_index:
            write_array(archive, "scan_index", (frames,), [np.zeros(frames, np.int64)])
        patches = (part.astype(np.complex64) for part in scene.patches())
        write_array(archive, "ground_truth_patches", (frames, N, N, 1), patches, np.complex64)
        if layout.metadata:
            write_text(archive, "_metadata", metadata_text(exposure.photons, layout))


def _write_patterns(
    archive: zipfile.ZipFile, frames: int, exposure: Exposure, layout: Layout, rng: np.random.Generator
) -> None:
    dtype = pattern_dtype(exposure, layout)
    parts = arrange_patterns(convert_counts(exposure.counts(rng), exposure, layout), layout, dtype)
    write_array(archive, layout.patterns, pattern_shape(frames, layout), parts, dtype)
