"""Stacks of patterns of every layout, beside the same patterns as (n, h, w)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_d0parity.statistics.blocks import ArraySource
from pytest_d0parity.statistics.distribution import Distribution, describe
from pytest_d0parity.statistics.frames.fingerprints import FrameFingerprints
from pytest_d0parity.statistics.frames.frame_statistics import FrameStatistics
from pytest_d0parity.statistics.frames.standard_errors import stack_errors
from pytest_d0parity.statistics.stack import Stack

# Of n = 96 patterns: how they are kept, and which axes are rows and columns.
LAYOUTS: dict[str, tuple[Any, range]] = {
    "(n, h, w)": (lambda a: a, range(1, 3)),
    "(n, h, w, 1)": (lambda a: a[..., None], range(1, 3)),
    "(1, n, h, w)": (lambda a: a[None], range(2, 4)),
    "(h, w, n)": (lambda a: np.moveaxis(a, 0, -1), range(2)),
    "(b, h, w, c)": (lambda a: np.moveaxis(a.reshape(24, 4, *a.shape[1:]), 1, -1), range(1, 3)),
    "(a, b, h, w, c)": (lambda a: np.moveaxis(a.reshape(3, 8, 4, *a.shape[1:]), 2, -1), range(2, 4)),
}
# The larger ones are cut within a frame, or within frames that alternate.
SIZES = [(6, 9), (64, 48), (160, 160), (300, 310)]


def patterns(size: tuple[int, int], dtype: str = "f4") -> NDArray[Any]:
    rng = np.random.default_rng(0)
    rates = 5 * rng.random(size) * rng.uniform(0.8, 1.2, (96, 1, 1))
    return np.sqrt(rng.poisson(rates)).astype(dtype)


def measured(stack: Stack) -> tuple[Distribution, FrameStatistics, FrameFingerprints]:
    frames, fingerprints = FrameStatistics(stack), FrameFingerprints(stack)
    return describe(stack, observers=[fingerprints.add], frames=frames), frames, fingerprints


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_measured_does_not_depend_on_the_layout(layout: str, size: tuple[int, int], order: Any) -> None:
    array = patterns(size)
    arrange, axes = LAYOUTS[layout]
    plain, stack = Stack(ArraySource(array)), Stack(ArraySource(np.asarray(arrange(array), order=order)), axes)
    (expected, its_frames, its_prints), (values, frames, prints) = measured(plain), measured(stack)
    assert stack.shape == array.shape
    assert (prints.order, prints.set) == (its_prints.order, its_prints.set)
    for name in ("count", "min", "max", "nonzero_fraction", "order"):
        assert getattr(values, name) == getattr(expected, name)
    np.testing.assert_allclose([values.mean, values.std], [array.mean(dtype=float), array.std(dtype=float)], rtol=1e-12)
    for name in ("sums", "squares", "nonzero", "low", "high"):
        np.testing.assert_allclose(stack.in_order(getattr(frames, name)), getattr(its_frames, name), rtol=1e-12)
    np.testing.assert_allclose(frames.sample.centre(), its_frames.sample.centre(), rtol=1e-12)
    index = np.arange(96) // 10
    found = stack_errors(frames, stack.in_stream_order(index), frames.squares)
    wanted = stack_errors(its_frames, index, its_frames.squares)
    if size in SIZES[2:]:  # of so large frames the percentiles are those of every so many pixels, in stored order
        found, wanted = ({k: v for k, v in each.items() if not k.startswith("raw.")} for each in (found, wanted))
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose([*found.values()], [*wanted.values()], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_that_are_not_finite_are_left_out_of_their_frames(layout: str, order: Any) -> None:
    array = patterns((160, 160))
    array[5, 3, 7], array[90, 100, :] = np.nan, np.inf
    arrange, axes = LAYOUTS[layout]
    stack = Stack(ArraySource(np.asarray(arrange(array), order=order)), axes)
    values, frames, _ = measured(stack)
    assert (values.nan_count, values.inf_count) == (1, 160)
    finite = np.where(np.isfinite(array), array, np.nan)
    np.testing.assert_allclose(stack.in_order(frames.means()), np.nanmean(finite, axis=(1, 2), dtype=float), rtol=1e-12)
    np.testing.assert_array_equal(stack.in_order(frames.high), np.nanmax(finite, axis=(1, 2)))


@pytest.mark.parametrize(
    ("shape", "axes"), [((5,), range(1, 1)), ((), range(0)), ((4, 6), range(1, 2)), ((8, 9), range(2))]
)
def test_arrays_of_few_axes(shape: tuple[int, ...], axes: range) -> None:
    array = np.random.default_rng(0).random(shape)
    stack = Stack(ArraySource(array), axes)
    values, frames, _ = measured(stack)
    assert stack.shape[0] == len(frames.sums) == array.size // int(np.prod(shape[axes.start : axes.stop]))
    assert values.max == array.max()
