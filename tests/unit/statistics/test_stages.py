"""The statistics against NumPy's literal definitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_d0parity import summarize_array, summarize_grouped, summarize_probe
from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.stages import normalized_stats, stage_stats

PERCENTILES = {"p01": 1, "p10": 10, "p90": 90, "p99": 99}
REAL = ["?", "i1", "u1", "<i2", ">u2", "<i4", ">i4", "<u4", "<i8", "<u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


def literal(array: np.ndarray) -> dict[str, float]:
    """Section 3 of the contract, word by word, in float64."""
    values = np.abs(array.astype(np.complex128)) if array.dtype.kind == "c" else array.astype(np.float64)
    return {
        "min": values.min(),
        "max": values.max(),
        "median": np.median(values),
        **{name: np.percentile(values, percent) for name, percent in PERCENTILES.items()},
        "nonzero_fraction": np.count_nonzero(values) / values.size,
        "count": values.size,
    }


def exact_mean_and_std(array: np.ndarray) -> tuple[float, float]:
    """In rational arithmetic: independent of any order of summation."""
    values = [Fraction(float(value)) for value in array.astype(np.float64).ravel()]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    # The root of a fraction that may be far outside the range of float64.
    shift = (variance.numerator.bit_length() - variance.denominator.bit_length()) // 2
    return float(mean), math.ldexp(math.sqrt(variance / Fraction(4) ** shift), shift) if variance else 0.0


def assert_agrees(stats: dict[str, Any], array: np.ndarray) -> None:
    for name, expected in literal(array).items():
        assert stats[name] == expected, name
    mean, std = exact_mean_and_std(array)
    scale = float(np.max(np.abs(array.astype(np.float64)), initial=0.0))
    assert stats["mean"] == pytest.approx(mean, rel=1e-12, abs=scale * 1e-14)
    assert stats["std"] == pytest.approx(std, rel=1e-12, abs=scale * 1e-14)


def finite_arrays() -> st.SearchStrategy[np.ndarray]:
    def of(dtype: str) -> st.SearchStrategy[np.ndarray]:
        kind = np.dtype(dtype)
        if kind.kind != "f":
            elements = hnp.from_dtype(kind)
        else:
            # Ties, both zeros, subnormals, and magnitudes up to the largest that is left finite below.
            largest = float(np.finfo(kind).max) / 4
            number = st.floats(-largest, largest, width=8 * kind.itemsize)
            elements = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, float(np.finfo(kind).tiny) / 4]), number)
        return hnp.arrays(kind, hnp.array_shapes(max_dims=4, max_side=7), elements=elements)

    return st.sampled_from(REAL).flatmap(of)


@settings(max_examples=400)
@given(finite_arrays(), st.sampled_from("CF"))
def test_small_arrays_of_every_dtype_and_order(array: np.ndarray, order: Any) -> None:
    assert_agrees(summarize_array(np.array(array, order=order)), array)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "f2", "u1"])
@pytest.mark.parametrize("kind", ["continuous", "few values", "heavy tail", "sorted", "two clusters"])
def test_arrays_that_are_counted_instead_of_sorted(dtype: str, kind: str) -> None:
    rng = np.random.default_rng(5)
    size = 400_003
    values = {
        "continuous": rng.normal(size=size) * 50,
        "few values": rng.poisson(2.0, size).astype(float) - 1,
        "heavy tail": np.clip(rng.standard_cauchy(size), -200, 200),
        "sorted": np.sort(rng.random(size) * 100),
        "two clusters": np.where(rng.random(size) < 0.5, 1.0, 100.0) + rng.random(size) * 1e-9,
    }[kind]
    array = (np.abs(values) if dtype == "u1" else values).astype(dtype)

    stats = summarize_array(array)

    for name, expected in literal(array).items():
        assert stats[name] == expected, name
    wide = array.astype(np.longdouble)
    assert stats["mean"] == pytest.approx(float(wide.mean()), rel=1e-12, abs=1e-13)
    assert stats["std"] == pytest.approx(float(wide.std()), rel=1e-12)


def test_percentiles_between_two_order_statistics_use_numpys_rounding() -> None:
    rng = np.random.default_rng(1)
    for size in range(1, 200):
        array = rng.normal(size=size) * 10.0 ** rng.integers(-5, 5)
        stats = summarize_array(array)
        assert {name: stats[name] for name in PERCENTILES} == {
            name: np.percentile(array, percent) for name, percent in PERCENTILES.items()
        }


def test_a_constant_array_has_no_spread() -> None:
    stats = summarize_array(np.full(1000, 0.1, np.float32))
    assert stats["mean"] == stats["min"] == stats["p99"] == float(np.float32(0.1))
    assert stats["std"] == 0.0


def test_a_small_spread_on_a_large_mean_is_not_lost() -> None:
    array = 1e6 + np.random.default_rng(0).normal(size=300_000)
    assert summarize_array(array)["std"] == pytest.approx(float(array.astype(np.longdouble).std()), rel=1e-12)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324 * 1024])
def test_squares_that_would_overflow_or_vanish(scale: float) -> None:
    array = np.arange(1.0, 8.0) * scale
    mean, std = exact_mean_and_std(array)
    stats = summarize_array(array)
    assert stats["mean"] == pytest.approx(mean, rel=1e-12)
    assert stats["std"] == pytest.approx(std, rel=1e-12)


def test_negative_zero_is_zero() -> None:
    stats = summarize_array(np.array([-0.0, 0.0, -0.0]))
    assert [math.copysign(1, value) for value in stats.values()] == [1.0] * len(stats)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_non_finite_values_are_counted_and_left_out(dtype: str) -> None:
    rng = np.random.default_rng(2)
    array = rng.random((40, 60, 70)).astype(dtype)
    finite = array.reshape(-1)[5000:].copy()
    array.reshape(-1)[:5000:2] = np.nan
    array.reshape(-1)[1:5000:2] = -np.inf if array.dtype.kind == "f" else complex(np.inf, np.nan)

    stats = summarize_array(array)

    assert (stats["nan_count"], stats["inf_count"]) == (2500, 2500)
    for name, expected in literal(finite).items():
        assert stats[name] == expected, name
    magnitudes = np.abs(finite.astype("c16"))
    assert stats["mean"] == pytest.approx(float(magnitudes.mean()), rel=1e-12)
    assert stats["std"] == pytest.approx(float(magnitudes.std()), rel=1e-12)


def test_counts_of_non_finite_values_are_absent_when_there_are_none() -> None:
    assert set(summarize_array([1.0])).isdisjoint({"nan_count", "inf_count"})


@pytest.mark.parametrize("array", [np.empty(0), np.empty((0, 64, 64), "f4"), np.empty((3, 0)), np.array([np.nan])])
def test_no_values_give_zeros(array: np.ndarray) -> None:
    stats = summarize_array(array)
    assert stats.pop("nan_count", 0) == np.isnan(array).sum()
    assert set(stats.values()) == {0}


@pytest.mark.parametrize("array", [["a"], [None], np.array(["2020-01-01"], "M8[D]"), np.zeros(2, "f4,i4")])
def test_what_is_not_a_number_is_refused_by_name(array: Any) -> None:
    with pytest.raises(TypeError, match=str(np.asarray(array).dtype).replace("[", r"\[").replace("(", r"\(")[:8]):
        summarize_array(array)


def test_complex_values_are_reduced_to_their_magnitude() -> None:
    array = np.array([3 + 4j, 0, -5 - 12j])
    stats = summarize_array(array)
    assert (stats["min"], stats["median"], stats["max"]) == (0.0, 5.0, 13.0)


def test_the_bits_do_not_depend_on_how_frames_are_laid_out_in_memory() -> None:
    array = np.random.default_rng(3).random((20, 33, 17))
    spread_out = np.zeros((40, 33, 34))
    spread_out[::2, :, ::2] = array
    assert summarize_array(spread_out[::2, :, ::2]) == summarize_array(array)
    assert summarize_grouped(spread_out[::2, :, ::2], np.arange(20) % 3) == summarize_grouped(array, np.arange(20) % 3)


# --- normalized --------------------------------------------------------------------------------


@settings(max_examples=200)
@given(hnp.arrays(np.float32, hnp.array_shapes(max_side=9), elements=st.floats(-100, 100, width=32)))
def test_normalized_is_the_literal_quotient(array: np.ndarray) -> None:
    divisor = float(array.max()) + 1e-12
    if divisor == 0:
        return
    quotient = array.astype(np.float64) / divisor

    stats = vars(normalized_stats(describe(ArraySource(array))))

    for name in ("min", "max", "nonzero_fraction"):
        assert stats[name] == literal(quotient)[name], name
    for name in ("median", *PERCENTILES):
        assert stats[name] == pytest.approx(literal(quotient)[name], rel=1e-13, abs=1e-300), name
    scale = np.abs(quotient).max()
    assert stats["mean"] == pytest.approx(quotient.mean(), rel=1e-12, abs=1e-13 * scale)
    assert stats["std"] == pytest.approx(quotient.std(), rel=1e-12, abs=1e-13 * scale)


def test_normalized_percentiles_are_exact_for_amplitudes() -> None:
    array = np.sqrt(np.random.default_rng(0).poisson(3.0, (90, 64, 64))).astype(np.float32)
    stats = normalized_stats(describe(ArraySource(array)))
    for name, percent in PERCENTILES.items():
        assert getattr(stats, name) == np.percentile(array.astype(float) / (float(array.max()) + 1e-12), percent)


# --- grouped -----------------------------------------------------------------------------------


def literal_grouped(diff3d: np.ndarray, index: np.ndarray) -> np.ndarray:
    means = diff3d.astype(np.float64).reshape(len(diff3d), -1).mean(axis=1)
    return np.array([means[index == scan].mean() for scan in np.unique(index)])


@settings(max_examples=150)
@given(
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=9).flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.float64, shape, elements=st.floats(0, 10)),
            hnp.arrays(np.int64, shape[0], elements=st.sampled_from([0, 1, -7, 10**12, -(2**63), 2**63 - 1])),
        )
    ),
    st.sampled_from("CF"),
)
def test_grouped_averages_frames_within_scans(stack: tuple[np.ndarray, np.ndarray], order: Any) -> None:
    diff3d, index = stack
    averages = literal_grouped(diff3d, index)

    stats = summarize_grouped(np.array(diff3d, order=order), index)

    assert (stats["count"], stats["n_unique_scans"], stats["n_patterns"]) == (len(averages), len(averages), len(index))
    for name in ("min", "max", "mean", "std"):
        assert stats[name] == pytest.approx(getattr(np, name)(averages), rel=1e-12, abs=1e-13), name
    assert stats["p90"] == pytest.approx(np.percentile(averages, 90), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("shape", [(7, 300, 301), (3, 512, 512), (500, 5), (1, 70_000), (100_000,), (90_000, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_grouped_for_frames_smaller_and_larger_than_a_block(shape: tuple[int, ...], order: Any) -> None:
    diff3d = np.random.default_rng(0).random(shape, np.float32)
    index = np.arange(shape[0]) % 2
    averages = literal_grouped(diff3d, index)
    stats = summarize_grouped(np.array(diff3d, order=order), index)
    assert [stats["min"], stats["max"]] == pytest.approx([averages.min(), averages.max()], rel=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_bad_pixel_is_left_out_of_its_frame_and_a_dead_frame_out_of_its_scan(order: Any) -> None:
    diff3d = np.ones((4, 2, 2), order=order)
    diff3d[0, 0, 0] = np.nan
    diff3d[1] = 3.0
    diff3d[2] = np.inf
    stats = summarize_grouped(diff3d, [0, 0, 1, 0])
    assert stats["mean"] == pytest.approx((1 + 3 + 1) / 3)
    assert (stats["count"], stats["n_unique_scans"], stats["n_patterns"]) == (1, 2, 4)


def test_memory_grows_with_the_frames_not_with_the_largest_index() -> None:
    stats = summarize_grouped(np.ones((3, 2, 2)), np.array([2**62, -(2**62), 2**62]))
    assert stats["n_unique_scans"] == 2


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.zeros(4), "float64"),
        (np.zeros(3, int), "3 entries, but diff3d has 4 frames"),
        (np.array(["0"] * 4), "integers are expected"),
    ],
)
def test_a_scan_index_that_cannot_be_used_is_told_in_words(index: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarize_grouped(np.ones((4, 2, 2)), index)


# --- probe -------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    hnp.arrays(
        np.complex128,
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=8),
        elements=st.complex_numbers(max_magnitude=1e6, allow_nan=False),
    )
)
def test_probe_is_amplitude_and_phase(probe: np.ndarray) -> None:
    stats = summarize_probe(probe)
    angle = np.vectorize(math.atan2)(probe.imag, probe.real)  # NumPy's own differs in the last bit by version
    for part, values in (("amplitude", np.hypot(probe.real, probe.imag)), ("phase", angle)):
        for name, percent in {"p01": 1, "p05": 5, "p50": 50, "p95": 95, "p99": 99}.items():
            assert stats[part][name] == np.percentile(values, percent) + 0.0
        assert (stats[part]["min"], stats[part]["max"]) == (values.min(), values.max())
        mean, std = exact_mean_and_std(values)
        assert stats[part]["mean"] == pytest.approx(mean, rel=1e-12, abs=1e-14 * np.abs(values).max())
        assert stats[part]["std"] == pytest.approx(std, rel=1e-12, abs=1e-14 * np.abs(values).max())
    assert stats["l2_norm"] == pytest.approx(math.hypot(*probe.real.ravel(), *probe.imag.ravel()), rel=1e-12)
    assert stats["shape"] == list(probe.shape)
    assert stats["dtype"] == "complex128"


def test_a_real_probe_has_phase_zero_or_pi() -> None:
    stats = summarize_probe(np.array([[-1.0, 2.0], [3.0, 4.0]], np.float32))
    assert (stats["phase"]["min"], stats["phase"]["max"]) == (0.0, math.pi)
    assert stats["amplitude"]["min"] == 1.0


def test_a_probe_value_that_is_partly_not_finite_counts_in_both_parts() -> None:
    stats = summarize_probe(np.array([1 + 1j, complex(np.nan, 0), complex(np.inf, 1), complex(np.inf, np.nan)]))
    for part in ("amplitude", "phase"):
        assert (stats[part]["nan_count"], stats[part]["inf_count"]) == (1, 2)
    assert stats["amplitude"]["max"] == pytest.approx(math.sqrt(2))


# --- the stream --------------------------------------------------------------------------------


class Chopped(ArraySource):
    """Serves the same blocks, each out of a fresh and differently aligned piece of memory."""

    def blocks(self, sizes: Iterable[int]) -> Iterator[np.ndarray]:
        for number, block in enumerate(super().blocks(sizes)):
            memory = np.zeros(block.nbytes + 64, np.uint8)
            start = number % 7 * block.itemsize
            piece = memory[start : start + block.nbytes].view(block.dtype)
            piece[:] = block
            yield piece


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_alignment_in_memory_changes_no_bit(dtype: str) -> None:
    array = np.random.default_rng(0).normal(size=(50, 61, 67)).astype(dtype)
    assert stage_stats(describe(Chopped(array))) == stage_stats(describe(ArraySource(array)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("others", [(1e-3, 2.0), (-1.0, 1.0), (-1e-39, -1e-42), (1e-42, 1e-39), (-1e-310, 1e-310)])
def test_many_zeros_of_both_signs(dtype: type, share: float, others: tuple[float, float]) -> None:
    rng = np.random.default_rng(int(share * 1000))
    values = rng.uniform(*others, 300_000).astype(dtype)
    zeros = rng.random(values.size) < share
    values[zeros] = np.where(rng.random(int(zeros.sum())) < 0.5, -0.0, 0.0)
    found = summarize_array(values)
    for name, percent in (("p01", 1), ("p10", 10), ("median", 50), ("p90", 90), ("p99", 99)):
        assert found[name] == np.percentile(values.astype(np.float64), percent), name
        assert not np.signbit(found[name]) or found[name]
