"""Photons counted back, from the simulator's own physics and from what is no photon count."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.photons import PhotonSample
from pytest_d0parity.statistics.records import Domain, Photons

DOSES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]


def count(diff3d: np.ndarray, domain: Domain | None = None) -> Photons:
    sample = PhotonSample(diff3d.dtype, domain)
    return sample.count(describe(ArraySource(diff3d), observers=[sample.add]), len(diff3d))


def pattern() -> np.ndarray:
    """A bright centre on a dim, wide halo; sums to one."""
    row, column = np.mgrid[-32:32, -32:32]
    square = row**2 + column**2
    rates = np.exp(-square / 60.0) + 1e-4 / (1 + square / 200) ** 2
    return rates / rates.sum()


def counts(dose: float, frames: int) -> np.ndarray:
    return np.random.default_rng(int(dose)).poisson(pattern() * dose, (frames, 64, 64))


@pytest.mark.parametrize("dose", DOSES)
@pytest.mark.parametrize("scale", [1.0, 0.0123, 7.1e-6])
def test_the_dose_comes_back_whatever_the_scale(dose: float, scale: float) -> None:
    photons = counts(dose, 40)
    result = count((np.sqrt(photons) * scale).astype(np.float32))
    assert result.quantized
    assert result.per_pattern == pytest.approx(photons.sum() / 40, rel=1e-6)
    assert result.quantum == pytest.approx(scale**2, rel=1e-6)
    assert result.residual is not None
    assert result.residual < 0.02


@pytest.mark.parametrize("dose", ["1e3", "1e6", "1e9"])
def test_the_simulator_holds_its_promise(dose: str, tmp_path: pytest.TempPathFactory) -> None:
    from pytest_d0parity.simulator import simulate_sweep

    frames = {"1e3": 2000, "1e6": 100, "1e9": 40}[dose]  # so many that the noise of the mean is below 0.1 %
    (path,) = simulate_sweep(str(tmp_path), [dose], frames)
    with np.load(path) as arrays:
        result = count(arrays["diff3d"]).against(float(dose))
    assert result.quantized
    assert result.ratio == pytest.approx(1, abs=2e-3 if dose == "1e3" else 1e-3)


@pytest.mark.parametrize("dose", DOSES)
@pytest.mark.parametrize("frames", [1, 3])
def test_few_frames_give_the_right_answer_or_none(dose: float, frames: int) -> None:
    photons = counts(dose, frames)
    result = count((np.sqrt(photons) * 0.3).astype(np.float32))
    if result.quantized:
        assert result.per_pattern == pytest.approx(photons.sum() / frames, rel=1e-6)


def test_a_dark_surround_with_a_gap_to_the_bright_disc() -> None:
    row, column = np.mgrid[-32:32, -32:32]
    rates = np.where(row**2 + column**2 < 200, 150.0, 0.01)
    photons = np.random.default_rng(0).poisson(rates, (100, 64, 64))
    result = count(np.sqrt(photons).astype(np.float32))
    assert result.quantized
    assert result.per_pattern == pytest.approx(photons.sum() / 100, rel=1e-6)


def disc(inside: float, outside: float) -> np.ndarray:
    row, column = np.mgrid[-32:32, -32:32]
    return np.where(row**2 + column**2 < 200, inside, outside)


FAR = {"disc": disc(1e4, 0.02), "hard disc": disc(2e4, 0.0), "flat": np.full((64, 64), 1e5)}


@pytest.mark.parametrize("rates", FAR)
def test_counts_far_from_zero_with_a_thin_tail(rates: str) -> None:
    photons = np.random.default_rng(0).poisson(FAR[rates], (100, 64, 64))
    result = count((np.sqrt(photons) * 0.3).astype(np.float32))
    assert result.quantized
    assert result.per_pattern == pytest.approx(photons.sum() / 100, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e-150, 1e150])
def test_any_scale_in_double_precision(scale: float) -> None:
    photons = counts(1e5, 10)
    assert count(np.sqrt(photons) * scale).per_pattern == pytest.approx(photons.sum() / 10, rel=1e-6)


@pytest.mark.parametrize(("dtype", "scale"), [("f2", 2e-6), ("f4", 1e-43), ("f8", 1e-320)])
def test_subnormal_amplitudes_are_too_coarse(dtype: str, scale: float) -> None:
    assert not count((np.sqrt(counts(1e5, 10)) * scale).astype(dtype)).quantized


def test_amplitudes_beyond_all_bounds() -> None:
    diff3d = np.sqrt(np.random.default_rng(0).poisson(20.0, (20, 16, 16)))
    diff3d[0, 0, :5] = 1.7e308
    assert not count(diff3d).quantized


@pytest.mark.parametrize("seed", range(40))
def test_a_handful_of_values_is_no_evidence(seed: int) -> None:
    """Rounded, averaged or normalised by frame: chance must not make counts of it."""
    rng = np.random.default_rng(seed)
    photons = rng.poisson(rng.uniform(0.2, 3.0), (3, 8, 8))
    amplitudes = np.sqrt(photons)
    for processed in (
        np.round(amplitudes * 7) / 7,
        (amplitudes + np.roll(amplitudes, 1)) / 2,
        rng.random((2, 3, 3)),
    ):
        assert not count(processed.astype(np.float32)).quantized
    assert not count(np.round(rng.random((3, 8, 8)), 1).astype(np.float32), "amplitude").quantized


def test_masked_pixels_do_not_matter() -> None:
    photons = np.random.default_rng(0).poisson(500.0, (30, 64, 64))
    photons[:, 20:24] = 0
    result = count(np.sqrt(photons).astype(np.float32))
    assert result.quantized
    assert result.per_pattern == pytest.approx(photons.sum() / 30, rel=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c8"])
def test_any_floating_dtype(dtype: str) -> None:
    photons = counts(1e5, 10)
    assert count((np.sqrt(photons) * 0.3).astype(dtype)).per_pattern == pytest.approx(photons.sum() / 10, rel=1e-6)


def ramps() -> dict[str, np.ndarray]:
    return {
        "over columns": np.linspace(1, 2, 64),
        "over rows": np.linspace(0.5, 1.5, 64)[:, None],
        "random": np.random.default_rng(1).random((64, 64)) + 0.5,
        "over frames": np.linspace(1, 1.2, 60)[:, None, None],
        "in steps": np.repeat(np.linspace(1, 2, 4), 16),
    }


@pytest.mark.parametrize("dose", [1e4, 1e6])
@pytest.mark.parametrize("ramp", ramps())
@pytest.mark.parametrize("applied", ["to counts", "to amplitudes"])
def test_counts_times_a_ramp_are_no_counts(dose: float, ramp: str, applied: str) -> None:
    photons = counts(dose, 60)
    factor = ramps()[ramp]
    diff3d = np.sqrt(photons * factor) if applied == "to counts" else np.sqrt(photons) * factor
    assert not count(diff3d.astype(np.float32)).quantized


@pytest.mark.parametrize(
    "diff3d",
    [
        np.random.default_rng(0).random((50, 64, 64)),
        np.abs(np.random.default_rng(0).normal(size=(50, 64, 64))),
        np.random.default_rng(0).random((2, 2, 2)),
        np.zeros((5, 8, 8)),
        np.ones((5, 8, 8)),
        -np.sqrt(np.random.default_rng(0).poisson(20.0, (50, 32, 32))),
    ],
    ids=["uniform", "normal", "eight values", "zeros", "ones", "negative"],
)
def test_other_data_is_not_quantized(diff3d: np.ndarray) -> None:
    result = count(diff3d.astype(np.float32))
    assert not result.quantized
    assert result.per_pattern is None
    assert not result.against(1e5).mislabelled


@pytest.mark.parametrize("dose", DOSES)
@pytest.mark.parametrize("gain", [1.0, 0.37, 100.0, 7.1e-6])
def test_intensities_are_counted_without_being_told(dose: float, gain: float) -> None:
    photons = counts(dose, 40)
    result = count((photons * gain).astype(np.float32))
    if dose >= 1e8 and not result.quantized:
        return  # float32 holds counts to 24 bits
    assert (result.domain, result.quantized) == ("intensity", True)
    assert result.quantum == pytest.approx(gain, rel=1e-5)
    assert result.per_pattern == pytest.approx(photons.sum() / 40, rel=1e-5)


@pytest.mark.parametrize("dtype", ["u2", ">u4", "i8"])
def test_integers_are_taken_as_counts(dtype: str) -> None:
    photons = counts(1e5, 10)
    result = count(photons.astype(dtype))
    assert (result.domain, result.quantum, result.residual) == ("intensity", 1.0, 0.0)
    assert result.per_pattern == photons.sum() / 10
    assert count((photons * 3).astype(dtype)).quantum == 3


@pytest.mark.parametrize("dose", DOSES)
def test_a_domain_that_is_told_is_the_only_one_that_is_tried(dose: float) -> None:
    photons = counts(dose, 40)
    assert not count(np.sqrt(photons).astype(np.float32), "intensity").quantized
    assert not count((photons * 0.37).astype(np.float32), "amplitude").quantized
    assert count(np.sqrt(photons).astype(np.float32), "amplitude").domain == "amplitude"


def test_a_corrected_part_of_the_file_spoils_the_claim() -> None:
    diff3d = np.sqrt(counts(1e4, 60)).astype(np.float32)
    bright = diff3d > 4
    diff3d[bright] *= np.random.default_rng(0).uniform(0.9, 1.1, bright.sum())
    assert not count(diff3d).quantized


def test_a_label_that_is_off_is_called_mislabelled() -> None:
    result = Photons(quantum=1.0, per_pattern=1e4, residual=0.0, quantized=True)
    assert result.against(1e5).mislabelled
    assert result.against(1.06e4).mislabelled
    assert not result.against(1.04e4).mislabelled
    assert not result.against(None).mislabelled
