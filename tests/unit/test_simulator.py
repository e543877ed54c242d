"""The simulated sweep: its physics, its layout, its seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_d0parity import load_params
from pytest_d0parity.simulator import make_probe, simulate_sweep


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
