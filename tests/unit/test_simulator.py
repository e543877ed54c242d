"""The simulated sweep: its physics, its layouts, its seed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_d0parity import ParityError, load_params
from pytest_d0parity.simulator import LAYOUTS, make_modes, make_probe, simulate_sweep

N = 64
FRAMES = 24  # which are whole groups
DOSES = {"1e4": 1e4, "5e5": 5e5}


def test_the_layout_is_that_of_the_real_sweep(sweep: Path, photon_grid: Path) -> None:
    with np.load(sweep / "data_p1e3.npz") as ours, np.load(photon_grid / "data_p1e3.npz") as real:
        assert list(ours) == list(real)
        for name in ours:
            assert ours[name].dtype == real[name].dtype
            assert ours[name].shape[1:] == real[name].shape[1:]
            assert ours[name].flags.f_contiguous == real[name].flags.f_contiguous
    known = {*load_params(photon_grid / "params.dill"), "frc1over7"}  # which the programs of today add
    assert set(load_params(sweep / "params.dill")) <= known


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        simulate_sweep(str(tmp_path / folder), ["1e4"], frames=3, seed=seed)
        files.append((tmp_path / folder / "data_p1e4.npz").read_bytes())
    assert files[0] == files[1] != files[2]


def test_intensities_are_poisson_counts_of_the_propagated_wave(tmp_path: Path) -> None:
    (path,) = simulate_sweep(str(tmp_path), ["1e6"], frames=300)
    with np.load(path) as arrays:
        counts = (arrays["diff3d"].astype(float) ** 2) * 1e6
        waves = arrays["probeGuess"] * arrays["ground_truth_patches"][..., 0]
    assert np.abs(counts - np.rint(counts)).max() < 0.05
    power = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    rates = power / power.sum(axis=(1, 2)).mean() * 1e6
    # Poisson: the squared distance from the rate is the rate, on average.
    bright = rates > 20
    assert np.mean((counts - rates)[bright] ** 2 / rates[bright]) == pytest.approx(1, abs=0.02)
    assert counts.sum(axis=(1, 2)).mean() == pytest.approx(1e6, rel=1e-3)


def test_the_probe_is_normalised_and_curved() -> None:
    probe = make_probe()
    assert np.linalg.norm(probe) == pytest.approx(1)
    assert np.ptp(np.angle(probe[np.abs(probe) > 0.3 * np.abs(probe).max()])) > 1


def test_modes_are_orthogonal_and_of_unit_power() -> None:
    modes = make_modes().reshape(3, -1)
    assert modes @ modes.conj().T == pytest.approx(np.diag([0.8, 0.15, 0.05]), abs=1e-12)
    assert abs(modes[0].conj() @ make_probe().ravel()) ** 2 == pytest.approx(0.8)


# --- the default ---------------------------------------------------------------------------------


def sha256_of_members(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_the_default_is_to_the_byte_what_numpy_makes_of_the_same_photons(tmp_path: Path) -> None:
    (path,) = map(Path, simulate_sweep(str(tmp_path), ["1e5"], FRAMES, seed=3))
    with np.load(path) as file:
        x, y, probe, specimen = (file[name] for name in ("xcoords", "ycoords", "probeGuess", "objectGuess"))
    corners = np.stack([y, x], axis=1).astype(int) - N // 2
    patches = np.stack([specimen[row : row + N, column : column + N] for row, column in corners])
    far = np.fft.fftshift(np.fft.fft2(probe * patches, norm="ortho"), axes=(1, 2))
    rates = far.real**2 + far.imag**2
    counts = np.random.default_rng([3, 100_000]).poisson(rates * (1e5 / (float(rates.sum()) / FRAMES)))
    np.savez_compressed(
        tmp_path / "numpy.npz",
        xcoords=x,
        ycoords=y,
        xcoords_start=x,
        ycoords_start=y,
        diff3d=(np.sqrt(counts) / np.sqrt(1e5)).astype(np.float32),
        probeGuess=probe,
        objectGuess=specimen,
        scan_index=np.zeros(FRAMES, np.int64),
        ground_truth_patches=patches.astype(np.complex64)[..., None],
    )
    ours, numpys = sha256_of_members(path), sha256_of_members(tmp_path / "numpy.npz")
    assert list(ours.items()) == list(numpys.items())


def test_the_default_is_called_amplitude(tmp_path: Path) -> None:
    (default,) = simulate_sweep(str(tmp_path / "default"), ["1e4"], 3)
    (named,) = simulate_sweep(str(tmp_path / "named"), ["1e4"], 3, layout="amplitude")
    assert Path(default).read_bytes() == Path(named).read_bytes()


# --- the other layouts ---------------------------------------------------------------------------

PATHS = {
    "amplitude": ["data_p1e4.npz", "data_p5e5.npz"],
    "dose-ladder": [f"lines_N64_tmc{mean}_{split}.npz" for mean in ("2.44141", "122") for split in ("train", "test")],
    "named-by-nphotons": [f"simulated_data_nphotons_{photons}.npz" for photons in ("10000.0", "500000.0")],
    "grouped": ["data_p1e4.npz", "data_p5e5.npz"],
    "trailing-axis": [f"run{number}/N64/gs1/{split}.npz" for number in (1, 2) for split in ("train", "test")],
    "frames-last": ["data_p1e4.npz", "data_p5e5.npz"],
    "leading-axis": ["data_p1e4.npz", "data_p5e5.npz"],
    "folders": [f"dose_{photons}/patched_{split}.npz" for photons in (10000, 500000) for split in ("train", "test")],
    "gain": ["data_p1e4.npz", "data_p5e5.npz"],
    "probe-modes": ["data_p1e4.npz", "data_p5e5.npz"],
}
# Of n frames: name, shape and type of the patterns; where their rows, columns and frames stand.
PATTERNS = {
    "amplitude": ("diff3d", lambda n: (n, N, N), "float32"),
    "dose-ladder": ("diff3d", lambda n: (n, N, N), "uint16"),
    "named-by-nphotons": ("diff3d", lambda n: (n, N, N), "float32"),
    "grouped": ("diffraction", lambda n: (n // 4, N, N, 4), "float32"),
    "trailing-axis": ("diffraction", lambda n: (n, N, N, 1), "float32"),
    "frames-last": ("diff3d", lambda n: (N, N, n), "float32"),
    "leading-axis": ("diff3d", lambda n: (1, n, N, N), "float32"),
    "folders": ("diff3d", lambda n: (n, N, N), "float32"),
    "gain": ("diff3d", lambda n: (n, N, N), "float32"),
    "probe-modes": ("diff3d", lambda n: (n, N, N), "float32"),
}
GAINS = {"dose-ladder": 1.0, "folders": 1.0, "gain": 0.37}  # photons to values; all others are amplitudes
PAIRS = {"dose-ladder", "trailing-axis", "folders"}
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, float, Arrays]]]:
    """Each layout: the relative path of each file, the dose that it was asked for, and its arrays."""
    found: dict[str, list[tuple[str, float, Arrays]]] = {}
    for layout in LAYOUTS:
        root = tmp_path_factory.mktemp(layout)
        paths = simulate_sweep(str(root), list(DOSES), FRAMES, layout=layout)
        doses = [dose for dose in DOSES.values() for _ in range(len(paths) // len(DOSES))]
        found[layout] = []
        for path, dose in zip(paths, doses, strict=True):
            with np.load(path, allow_pickle=True) as file:
                found[layout].append((Path(path).relative_to(root).as_posix(), dose, dict(file)))
        assert sorted(map(Path, paths)) == sorted(root.rglob("*.npz"))
    return found


def counts_of(layout: str, dose: float, arrays: Arrays) -> np.ndarray:
    """The counts, not rounded, of shape (n, 64, 64)."""
    values = arrays[PATTERNS[layout][0]].astype(float)
    counts = values / GAINS[layout] if layout in GAINS else values**2 * dose
    if layout == "frames-last":
        return np.moveaxis(counts, -1, 0)
    if layout in ("grouped", "trailing-axis"):
        return np.moveaxis(counts, -1, 1).reshape(-1, N, N)
    return counts.reshape(-1, N, N)


def test_there_are_ten_layouts() -> None:
    assert list(LAYOUTS) == list(PATHS) == list(PATTERNS)


@pytest.mark.parametrize("layout", PATHS)
def test_files_are_called_as_people_call_them(layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]) -> None:
    assert [path for path, _, _ in kept[layout]] == PATHS[layout]


@pytest.mark.parametrize("layout", PATHS)
def test_arrays_have_their_names_shapes_and_types(
    layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]
) -> None:
    patterns, shape, dtype = PATTERNS[layout]
    for path, _, arrays in kept[layout]:
        frames = 8 if "test" in path else FRAMES
        told = {name: (array.shape, array.dtype.name) for name, array in arrays.items() if name != "_metadata"}
        expected = {
            **dict.fromkeys(("xcoords", "ycoords", "xcoords_start", "ycoords_start"), ((frames,), "float64")),
            patterns: (shape(frames), dtype),
            "probeGuess": ((3, N, N) if layout == "probe-modes" else (N, N), "complex128"),
            "objectGuess": ((232, 232), "complex128"),
            "scan_index": ((frames,), "int64"),
            "ground_truth_patches": ((frames, N, N, 1), "complex64"),
        }
        if layout in ("dose-ladder", "trailing-axis"):
            del expected["scan_index"]
        assert told == expected


@pytest.mark.parametrize("layout", PATHS)
def test_counts_are_whole_and_as_many_as_the_dose(
    layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]
) -> None:
    for _, dose, arrays in kept[layout]:
        counts = counts_of(layout, dose, arrays)
        assert np.abs(counts - np.rint(counts)).max() < 0.05
        # The dose is the mean over the patterns; what is left are the photons, of which dose * frames were drawn.
        assert np.rint(counts).sum() == pytest.approx(dose * len(counts), abs=5 * np.sqrt(dose * len(counts)))


@pytest.mark.parametrize("layout", [layout for layout in PATHS if layout not in ("grouped", "probe-modes")])
def test_photons_are_the_same_in_all_layouts(layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]) -> None:
    same = [file for file in kept[layout] if "test" not in file[0]]
    for (_, dose, arrays), (_, _, default) in zip(same, kept["amplitude"], strict=True):
        for name in ("xcoords", "ycoords", "probeGuess", "objectGuess", "ground_truth_patches"):
            np.testing.assert_array_equal(arrays[name], default[name])
        expected = np.rint(counts_of("amplitude", dose, default))
        np.testing.assert_array_equal(np.rint(counts_of(layout, dose, arrays)), expected)


@pytest.mark.parametrize("layout", sorted(PAIRS))
def test_a_pair_has_one_probe_and_no_position_in_common(
    layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]
) -> None:
    (_, _, train), (_, _, test), *_ = kept[layout]
    np.testing.assert_array_equal(train["probeGuess"], test["probeGuess"])
    np.testing.assert_array_equal(train["objectGuess"], test["objectGuess"])
    places = [set(zip(file["xcoords"], file["ycoords"], strict=True)) for file in (train, test)]
    assert not places[0] & places[1]


def test_patterns_stand_with_their_own_positions(kept: dict[str, list[tuple[str, float, Arrays]]]) -> None:
    """In groups, and with the intensities of all modes: squared distances from the rates are the rates, on average."""
    for layout in ("grouped", "probe-modes", "dose-ladder"):
        for _, dose, arrays in kept[layout][-1:]:
            modes = arrays["probeGuess"].reshape(-1, 1, N, N)
            waves = modes * arrays["ground_truth_patches"][..., 0]
            power = (np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(2, 3))) ** 2).sum(axis=0)
            rates = power / power.sum(axis=(1, 2)).mean() * dose
            bright = rates > 20
            scatter = (counts_of(layout, dose, arrays) - rates)[bright] ** 2 / rates[bright]
            assert scatter.mean() == pytest.approx(1, abs=0.1)


def test_groups_are_of_neighbours(kept: dict[str, list[tuple[str, float, Arrays]]]) -> None:
    def spread(arrays: Arrays) -> float:
        groups = np.stack([arrays["xcoords"], arrays["ycoords"]], axis=1).reshape(-1, 4, 2)
        return float(np.std(groups, axis=1).mean())

    (_, _, grouped), (_, _, default) = kept["grouped"][0], kept["amplitude"][0]
    assert sorted(grouped["xcoords"]) == sorted(default["xcoords"])
    assert spread(grouped) < 0.7 * spread(default)


@pytest.mark.parametrize("layout", PATHS)
def test_metadata_tell_the_dose(layout: str, kept: dict[str, list[tuple[str, float, Arrays]]]) -> None:
    for _, dose, arrays in kept[layout]:
        if layout not in ("dose-ladder", "named-by-nphotons", "trailing-axis"):
            assert "_metadata" not in arrays
            continue
        assert (arrays["_metadata"].shape, arrays["_metadata"].dtype) == ((), object)
        told = json.loads(arrays["_metadata"].item())
        if layout == "dose-ladder":
            assert told["measurement_domain"] == "count_intensity"
            assert told["probe_calibration"]["target_mean_count"] * N**2 == dose
            assert told["physics_parameters"]["nphotons"] == 1e9  # left as it was
        else:
            assert told["physics_parameters"]["nphotons"] == dose


def test_counts_that_uint16_cannot_hold_are_kept_in_a_wider_type(tmp_path: Path) -> None:
    for dose, dtype in (("5e5", "uint16"), ("1e9", "uint32"), ("1e14", "uint64")):
        train, _ = simulate_sweep(str(tmp_path), [dose], 4, layout="dose-ladder")
        with np.load(train) as file:
            assert file["diff3d"].dtype == dtype
            assert file["diff3d"].sum(axis=(1, 2)).mean() == pytest.approx(float(dose), rel=1e-2)


def test_groups_are_whole(tmp_path: Path) -> None:
    (path,) = simulate_sweep(str(tmp_path), ["1e4"], 5, layout="grouped")
    with np.load(path) as file:
        assert file["diffraction"].shape == (2, N, N, 4)
        assert file["xcoords"].shape == (8,)


@pytest.mark.parametrize("layout", PATHS)
def test_the_seed_and_the_redraw_count_in_every_layout(layout: str, tmp_path: Path) -> None:
    def photons(seed: int, redraw: int) -> list[bytes]:
        folder = tmp_path / f"{seed}-{redraw}"
        paths = simulate_sweep(str(folder), ["1e4"], 4, seed, redraw=redraw, layout=layout)
        return [Path(path).read_bytes() for path in paths]

    first = photons(1, 0)
    assert photons(1, 0) == first
    assert not set(first) & {*photons(2, 0), *photons(1, 1)}


def test_arrays_are_written_as_numpy_writes_them(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        for path in simulate_sweep(str(tmp_path), ["1e4"], 4, layout=layout):
            with np.load(path, allow_pickle=True) as file, zipfile.ZipFile(path) as archive:
                for name in file.files:
                    np.save(member := io.BytesIO(), file[name])
                    assert archive.read(f"{name}.npy") == member.getvalue()


def test_an_unknown_layout_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="no layout 'cubes'; there are: amplitude, dose-ladder, "):
        simulate_sweep(str(tmp_path), ["1e4"], 4, layout="cubes")


def test_doses_that_would_share_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="1e6 and 1000001 would share the file lines_N64_tmc244_train"):
        simulate_sweep(str(tmp_path), ["1e6", "1000001"], 4, layout="dose-ladder")
    assert not list(tmp_path.iterdir())
