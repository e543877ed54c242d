"""Order statistics while the stream goes by: exact or not found, and mostly found in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_d0parity import summarize_array
from pytest_d0parity.statistics import blocks
from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import describe
from pytest_d0parity.statistics.percentiles import quantile_windows as windows
from pytest_d0parity.statistics.percentiles.quantile_windows import QuantileTracker
from pytest_d0parity.statistics.stages import stage_stats

SHARES = [0.01, 0.1, 0.5, 0.9, 0.99]
SMALL = {
    "_FIRST_SHRINK": 64,
    "_WINDOW_BUDGET": 96,
    "_MAX_KEPT": 400,
    "_FREQUENT": 12,
    "_MAX_SAMPLE": 256,
    "_SAMPLE_PER_BLOCK": 8,
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if some thousand values were a hundred million."""
    for name, value in SMALL.items():
        monkeypatch.setattr(windows, name, value)
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 32)


def values() -> st.SearchStrategy[np.ndarray]:
    """Streams with ties, drift, jumps and both zeros."""

    def stream(seed: int, size: int, kind: str, order: str, dtype: str) -> np.ndarray:
        rng = np.random.default_rng(seed)
        array = {
            "continuous": rng.normal(size=size),
            "counts": np.sqrt(rng.poisson(1.5, size)),
            "zeros": np.where(rng.random(size) < 0.7, rng.choice([0.0, -0.0], size), rng.random(size)),
            "lumps": np.repeat(rng.lognormal(size=size // 20 + 1), 20)[:size] * rng.random(size),
            "few": rng.choice([1.0, 2.0, 5.0], size),
        }[kind].astype(dtype)
        if order != "random":
            array = np.sort(array)[:: 1 if order == "up" else -1]
        return array

    return st.builds(
        stream,
        st.integers(0, 10_000),
        st.integers(1, 4000),
        st.sampled_from(["continuous", "counts", "zeros", "lumps", "few"]),
        st.sampled_from(["random", "random", "up", "down"]),
        st.sampled_from(["f4", "f8"]),
    )


@pytest.mark.usefixtures("small")
@settings(max_examples=300)
@given(values(), st.integers(1, 200), st.integers(0, 2))
def test_what_is_found_is_exact(array: np.ndarray, step: int, wrong: int) -> None:
    # Also where the size that was announced is not the one that comes.
    tracker = QuantileTracker(SHARES, array.size * (1, 2, 100)[wrong])
    for start in range(0, array.size, step):
        tracker.add(array[start : start + step])
    ascending = np.sort(array)
    for rank in {round(share * (array.size - 1)) for share in np.linspace(0, 1, 41)}:
        assert tracker.find(rank) in (None, ascending[rank])


@pytest.mark.usefixtures("small")
@settings(max_examples=200)
@given(values())
def test_percentiles_are_numpys_whatever_the_order_of_the_stream(array: np.ndarray) -> None:
    found = summarize_array(array)
    wide = array.astype(np.float64)
    for name, percent in (("p01", 1), ("p10", 10), ("p90", 90), ("p99", 99)):
        assert found[name] == np.percentile(wide, percent), name
    assert found["median"] == np.median(wide)


class Counted(ArraySource):
    """Counts how often it is read."""

    passes = 0

    def blocks(self, sizes: Iterable[int]) -> Iterator[np.ndarray]:
        self.passes += 1
        return super().blocks(sizes)


@pytest.mark.parametrize("kind", ["continuous", "counts", "frames", "mostly zero"])
@pytest.mark.parametrize(("order", "passes"), [("random", 1), ("sorted", 2)])
def test_a_stream_that_keeps_its_word_is_read_once_and_any_other_twice(kind: str, order: str, passes: int) -> None:
    rng = np.random.default_rng(0)
    frames = rng.lognormal(sigma=0.5, size=(600, 1, 1)).astype("f4")
    stack = {
        "continuous": rng.random((600, 64, 64), "f4"),
        "counts": np.sqrt(rng.poisson(3.0, (600, 64, 64))).astype("f4"),
        "frames": frames * rng.random((600, 64, 64), "f4"),
        "mostly zero": np.maximum(rng.random((600, 64, 64), "f4") - 0.8, 0),
    }[kind]
    if order == "sorted":
        stack = np.sort(stack.reshape(-1)).reshape(stack.shape)
    source = Counted(stack)
    stats = stage_stats(describe(source))
    assert source.passes <= passes
    for name, percent in (("p01", 1), ("p10", 10), ("median", 50), ("p90", 90), ("p99", 99)):
        assert getattr(stats, name) == np.percentile(stack.astype(np.float64), percent), name


def test_frames_whose_intensity_swings_are_read_once() -> None:
    rng = np.random.default_rng(0)
    beam = np.exp(0.1 * np.sin(np.arange(1500) * 2 * np.pi / 300)).astype("f4")
    source = Counted(beam[:, None, None] * rng.random((1500, 64, 64), "f4"))
    describe(source)
    assert source.passes == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes: a value that fills everything, or a stream that runs away from its own percentiles."""
    monkeypatch.setattr(windows, "_MAX_SAMPLE", 1 << 15)
    rng = np.random.default_rng(0)
    streams = {
        "constant": lambda _: np.full(1 << 16, 0.5, "f4"),
        "two values": lambda _: rng.choice(np.array([0.25, 0.5], "f4"), 1 << 16),
        "one window": lambda n: (rng.random(1 << 16) * (1 if n < 8 else 1e-3) + (n >= 8) * 0.5).astype("f4"),
        "late": lambda n: (rng.random(1 << 16) if n < 130 else np.full(1 << 16, 0.5)).astype("f4"),
        "away": lambda n: (rng.random(1 << 16) + n / 10).astype("f4"),
    }
    for kind, block in streams.items():
        tracker = QuantileTracker(SHARES, 1 << 30)
        for number in range(200):
            tracker.add(block(number))
            assert tracker._windows.kept.size <= windows._MAX_KEPT + (1 << 16), kind
            assert sum(piece.size for piece in tracker._sample) <= 1 << 15, kind
