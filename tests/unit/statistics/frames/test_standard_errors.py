"""Standard errors, beside NumPy's literal definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.frames.frame_statistics import FrameStatistics, golden_order, sampled_frames
from pytest_d0parity.statistics.frames.standard_errors import array_errors, stack_errors
from pytest_d0parity.statistics.stack import Stack

Statistic = Callable[[NDArray[Any]], Any]
PERCENTS = {"p01": 1, "p10": 10, "median": 50, "p90": 90, "p99": 99}


def order_of(n: int) -> list[int]:
    return sorted(range(n), key=lambda f: (f * 2654435769 % 2**32, f))


def spread(stack: NDArray[Any], frames: list[int], statistic: Statistic) -> float:
    m = len(frames)
    values = [statistic(stack[frames[g * m // 16 : (g + 1) * m // 16]].astype(float)) for g in range(16)]
    return float(np.std(values, ddof=1))


def patterns(n: int, shape: tuple[int, ...] = (8, 8), seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    brightness = 3 * rng.random(shape) * rng.uniform(0.8, 1.2, (n, *(1 for _ in shape)))
    return np.sqrt(rng.poisson(brightness)).astype(np.float32)


def measured(stack: NDArray[Any], index: NDArray[Any] | None = None, quantum: float | None = 1.0) -> dict[str, float]:
    source = Stack(ArraySource(stack))
    frames = FrameStatistics(source)
    describe(source, frames=frames)
    return stack_errors(frames, index, None if quantum is None else frames.squares / quantum)


def centre(stack: NDArray[Any], axis: int) -> float:
    profile = stack.mean(axis=0).sum(axis=1 - axis)
    return float((profile * np.arange(len(profile))).sum() / profile.sum())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n", [32, 33, 100, 512])
def test_they_are_those_of_the_definition(n: int, order: Any) -> None:
    stack = np.asarray(patterns(n), order=order)
    found, frames = measured(stack, np.zeros(n, int)), order_of(n)
    expected: dict[str, tuple[Statistic, float]] = {
        "raw.mean": (np.mean, 0.25),
        "raw.std": (np.std, 0.25),
        "raw.nonzero_fraction": (lambda part: np.count_nonzero(part) / part.size, 0.25),
        "raw.min": (np.min, 1),
        "raw.max": (np.max, 1),
        "photons.per_pattern": (lambda part: (part**2).sum(axis=(1, 2)).mean(), 0.25),
        "photons.std": (lambda part: (part**2).sum(axis=(1, 2)).std(), 0.25),
        "photons.min": (lambda part: (part**2).sum(axis=(1, 2)).min(), 1),
        "photons.max": (lambda part: (part**2).sum(axis=(1, 2)).max(), 1),
        "pattern.row": (lambda part: centre(part, 0), 0.25),
        "pattern.column": (lambda part: centre(part, 1), 0.25),
    }
    expected |= {f"raw.{name}": (lambda p, q=q: np.percentile(p, q), 0.25) for name, q in PERCENTS.items()}  # type: ignore[misc]
    for name, (statistic, factor) in expected.items():
        assert found[name] == pytest.approx(factor * spread(stack, frames, statistic), rel=1e-9, abs=1e-13), name
    assert found["grouped.mean"] == pytest.approx(found["raw.mean"], rel=1e-12)
    assert found["grouped.max"] == pytest.approx(4 * found["raw.mean"], rel=1e-12)


def test_of_many_frames_some_are_enough() -> None:
    stack = patterns(2000)
    found, frames = measured(stack), order_of(2000)
    some = [frames[k * 2000 // 512] for k in range(512)]
    assert sampled_frames(2000).tolist() == some
    share = (512 / 2000) ** 0.5
    assert found["raw.p90"] == pytest.approx(share * spread(stack, some, lambda p: np.percentile(p, 90)) / 4, rel=1e-9)
    assert found["raw.std"] == pytest.approx(share * spread(stack, some, np.std) / 4, rel=1e-9)
    assert found["raw.mean"] == pytest.approx(spread(stack, frames, np.mean) / 4, rel=1e-9)
    assert found["pattern.row"] == pytest.approx(spread(stack, some, lambda p: centre(p, 0)) / 4, rel=1e-9)


def test_several_scans() -> None:
    stack, index = patterns(96), np.arange(96) % 3

    def of_scans(statistic: Statistic) -> list[float]:
        frames = order_of(96)
        values = []
        for g in range(16):
            part = frames[g * 6 : (g + 1) * 6]
            means = stack[part].astype(float).mean(axis=(1, 2))
            values.append(statistic([means[index[part] == scan].mean() for scan in np.unique(index[part])]))
        return values

    found = measured(stack, index)
    assert found["grouped.mean"] == pytest.approx(np.std(of_scans(np.mean), ddof=1) / 4, rel=1e-9)
    assert found["grouped.std"] == pytest.approx(np.std(of_scans(np.std), ddof=1) / 4, rel=1e-9)
    assert found["grouped.max"] == pytest.approx(np.std(of_scans(np.max), ddof=1), rel=1e-9)


def test_an_array_with_a_row_for_each_frame() -> None:
    rows = np.random.default_rng(1).normal(size=(70, 2)) + 1j
    found = array_errors(rows, 70)
    assert found["mean"] == pytest.approx(spread(np.abs(rows), order_of(70), np.mean) / 4, rel=1e-9)
    assert set(found) == {"mean", "std", "nonzero_fraction", "min", "max"}
    assert array_errors(rows, 69) == array_errors(rows[:31], 31) == array_errors(np.array("text"), 70) == {}


def test_too_few_frames_have_none() -> None:
    assert measured(patterns(31)) == {}
    assert measured(patterns(32)) != {}


def test_frames_that_are_all_alike_have_no_scatter() -> None:
    found = measured(np.repeat(patterns(1), 64, axis=0))
    assert set(found.values()) == {0.0}


def test_what_is_not_finite_is_left_out() -> None:
    stack = patterns(64)
    stack[7, 3, 3] = np.nan
    found = measured(stack)
    assert found["raw.mean"] == pytest.approx(spread(stack, order_of(64), np.nanmean) / 4, rel=1e-9)
    assert found["raw.p90"] == pytest.approx(
        spread(stack, order_of(64), lambda p: np.nanpercentile(p, 90)) / 4, rel=1e-9
    )
    stack[order_of(64)[:4]] = np.nan  # a whole group
    found = measured(stack)
    assert not {"raw.mean", "raw.p90", "raw.max"} & set(found)


def test_other_shapes_have_no_pattern() -> None:
    assert "pattern.row" not in measured(patterns(64, (9,)))
    assert "pattern.row" in measured(patterns(64, (8, 8, 1)))


def test_large_frames_are_sampled() -> None:
    stack = patterns(40, (520, 520))  # more values than are kept
    found, frames = measured(stack), order_of(40)
    assert found["raw.mean"] == pytest.approx(spread(stack, frames, np.mean) / 4, rel=1e-9)
    assert found["pattern.row"] == pytest.approx(spread(stack, frames, lambda p: centre(p, 0)) / 4, rel=1e-6)
    assert found["pattern.column"] == pytest.approx(spread(stack, frames, lambda p: centre(p, 1)) / 4, rel=1e-6)
    assert found["raw.std"] == pytest.approx(spread(stack, frames, np.std) / 4, rel=0.3)


@pytest.mark.parametrize("columns", [16, 32, 64])
def test_no_raster_is_in_step_with_the_groups(columns: int) -> None:
    n = 2048
    rng = np.random.default_rng(0)
    # Brightness differs from frame to frame, and with the column of the raster.
    level = 3 + rng.normal(size=n) / 2 + np.cos(2 * np.pi * (np.arange(n) % columns) / 16) / 2
    stack = np.broadcast_to(np.abs(level)[:, None, None], (n, 4, 4)).astype(np.float32)
    raster = measured(stack)["raw.mean"]
    shuffled = np.mean([measured(stack[rng.permutation(n)])["raw.mean"] for _ in range(20)])
    assert raster == pytest.approx(shuffled, rel=0.3)
    in_step = np.std([stack[g::16].mean() for g in range(16)], ddof=1) / 4
    assert in_step > 3 * shuffled


@settings(max_examples=30)
@given(st.integers(32, 90), st.sampled_from(["f4", "f8", "u2", "i4"]), st.sampled_from(["C", "F"]), st.integers(0, 9))
def test_any_stack(n: int, dtype: str, order: Any, seed: int) -> None:
    stack = np.asarray(np.rint(3 * patterns(n, (5, 7), seed)).astype(dtype), order=order)
    found = measured(stack, quantum=None)
    assert found["raw.mean"] == pytest.approx(spread(stack, order_of(n), np.mean) / 4, rel=1e-9, abs=1e-13)
    assert found["raw.p10"] == pytest.approx(
        spread(stack, order_of(n), lambda p: np.percentile(p, 10)) / 4, rel=1e-9, abs=1e-13
    )
    assert not any(name.startswith("photons") for name in found)
    assert golden_order(n).tolist() == order_of(n)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e139, 1e153, 1e200, 1e300, 1e307])
def test_numbers_near_the_ends_of_all_floats_have_errors(scale: float) -> None:
    """By a power of two: exactly those of the numbers themselves."""
    array = np.random.default_rng(0).uniform(0.5, 1, 320)
    factor = 2.0 ** np.floor(np.log2(scale))
    found, plain = array_errors(array * factor, 320), array_errors(array, 320)
    for name in ("mean", "min", "max"):
        assert found[name] == plain[name] * factor
