"""Axes, colours and pictures of the page."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pytest_d0parity.reports.page.drawing.axis import Axis, linear_axis, logarithmic_axis, spelled
from pytest_d0parity.reports.page.drawing.colors import LEVELS, cyclic, sequential
from pytest_d0parity.reports.page.drawing.png import encode_png

VALUES = st.floats(min_value=-1e100, max_value=1e100).filter(lambda value: value == 0 or abs(value) > 1e-100)
POSITIVE = st.floats(min_value=1e-100, max_value=1e100)
MOST = st.integers(5, 10)


def read(label: str, base: str) -> float:
    return float(label) + (float(base) if base else 0.0)


def check_ticks(axis: Axis, most: int) -> None:
    ticks, base = axis.ticks(most)
    places = [tick.place for tick in ticks]
    labels = [tick.label for tick in ticks]
    assert 2 <= len(ticks) <= most
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 12
    low, high = sorted((axis.start, axis.end))
    reach = 1e-6 * (high - low)
    assert all(low - reach <= place <= high + reach for place in places)
    # A label says what stands at its place: to a hundredth of the distance to its neighbour.
    nearest = min(abs(one - other) for one, other in pairwise(places))
    for tick in ticks:
        assert abs(axis.place(read(tick.label, base)) - tick.place) <= nearest / 100


@given(st.lists(VALUES, min_size=1, max_size=5), MOST)
@example([0.0], 5)
@example([-3.0, -3.0], 5)
@example([1.0, 1.0 + 1e-9], 5)
@example([123456.78901234, 123456.78901299], 5)
@example([0.0, 1e-100], 5)
@example([-1e100, 1e100], 5)
@example([99999.0, 100001.0], 5)
def test_a_linear_axis(values: list[float], most: int) -> None:
    axis = linear_axis(values, 130.0, 20.0)
    places = [axis.place(value) for value in values]
    assert all(20 <= place <= 130 for place in places)
    assert sorted(places, reverse=True) == [axis.place(value) for value in sorted(values)]
    check_ticks(axis, most)


@given(st.lists(POSITIVE, min_size=1, max_size=5), MOST)
@example([1.0], 5)
@example([1e-100, 1e100], 5)
@example([2.0, 3.0], 5)
@example([1.0, 1.0 + 1e-12], 5)
@example([1e3, 1e9], 5)
@example([9.999e4, 1e5], 5)
def test_a_logarithmic_axis(values: list[float], most: int) -> None:
    axis = logarithmic_axis(values, 0.0, 100.0)
    assert all(0 <= axis.place(value) <= 100 for value in values)
    one, two, four = (axis.place(axis.lower * factor) for factor in (1, 2, 4))
    assert two - one == pytest.approx(four - two)  # equal factors have equal lengths
    check_ticks(axis, most)


@given(st.floats(1e-99, 1e99), st.floats(1.0001, 1e3))
def test_linear_steps_are_round(lower: float, factor: float) -> None:
    axis = Axis(lower, lower * factor, 0.0, 1.0)
    ticks, _ = axis.ticks(6)
    step = (ticks[-1].place - ticks[0].place) / (len(ticks) - 1) * (axis.upper - axis.lower)
    mantissa = step / 10.0 ** math.floor(math.log10(step * (1 + 1e-6)))
    assert min(abs(mantissa - each) for each in (1, 2, 5)) < 1e-3 * mantissa


@pytest.mark.parametrize(
    ("value", "text"), [(1e5, "1e5"), (0.0, "0"), (-2.5e-7, "-2.5e-7"), (12.0, "12"), (1e100, "1e100")]
)
def test_numbers_are_spelled_as_in_file_names(value: float, text: str) -> None:
    assert spelled(value, 4) == text


def lightness(colors: np.ndarray) -> np.ndarray:
    """CIE L* of the colours of a screen (IEC 61966-2-1)."""
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


def test_larger_numbers_are_lighter_in_even_steps() -> None:
    steps = np.diff(lightness(sequential())[:: (LEVELS - 1) // 15])
    assert steps.min() > 0
    assert steps.max() < 2 * steps.min() + 1
    assert lightness(sequential())[-1] - lightness(sequential())[0] > 75


def test_angles_are_equally_light_and_close_the_circle() -> None:
    colors = cyclic().astype(int)
    assert np.ptp(lightness(colors)) < 10
    steps = np.abs(np.diff(np.concatenate([colors, colors[:1]]), axis=0)).max(axis=1)
    assert steps.max() <= 10  # also from the last to the first
    assert np.abs(colors[:, None] - colors[None]).sum(axis=-1).max() > 200


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pictures_are_read_back_by_another_program(pixels: np.ndarray) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)
    levels = pixels[..., 0]
    read_back = Image.open(io.BytesIO(encode_png(levels, sequential()))).convert("RGB")
    assert np.array_equal(np.asarray(read_back), sequential()[levels])
