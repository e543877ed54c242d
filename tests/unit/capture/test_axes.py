"""Which axes are rows and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity.capture.dataset.axes import find_pixel_axes
from pytest_d0parity.scenario.layout import Axes


@pytest.mark.parametrize(
    ("shape", "entries", "axes"),
    [
        ((100, 64, 64), (), (1, 2)),
        ((64, 64, 100), (), (0, 1)),
        ((100, 64, 64, 1), (), (1, 2)),
        ((25, 64, 64, 4), (25,), (1, 2)),
        ((1, 100, 64, 64), (100,), (2, 3)),
        ((100, 48, 64), (100,), (1, 2)),
        ((48, 64, 100), (100,), (0, 1)),
        ((64, 64, 64), (64,), (1, 2)),  # where frames-first fits, it is taken
        ((64, 64, 64), (), None),
        ((100, 48, 64), (), None),
        ((25, 48, 64, 4), (100,), (1, 2)),
        ((25, 48, 64, 4), (25,), (1, 2)),
        ((64, 64), (), (0, 1)),  # one pattern
        ((7, 30), (7,), (1,)),  # patterns of one row
    ],
)
def test_found(shape: tuple[int, ...], entries: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    found = find_pixel_axes(shape, None, entries)
    assert found.is_clear == (axes is not None)
    if axes is not None:
        assert tuple(found.axes) == axes


@pytest.mark.parametrize(("told", "axes"), [("frames-first", (1, 2)), ("frames-last", (0, 1))])
def test_what_was_told_counts(told: Axes, axes: tuple[int, ...]) -> None:
    for shape in ((100, 64, 64), (64, 64, 100), (64, 64, 64), (3, 5, 7)):
        assert tuple(find_pixel_axes(shape, told, (shape[0],)).axes) == axes


LENGTH = st.integers(1, 200)


@given(st.lists(LENGTH, min_size=2, max_size=5), st.lists(LENGTH, max_size=3))
def test_any_shape_has_axes_of_pixels(shape: list[int], entries: list[int]) -> None:
    found = find_pixel_axes(tuple(shape), None, entries).axes
    assert 1 <= len(found) <= 2
    assert 0 <= found.start < found.stop <= len(shape)


@given(LENGTH, LENGTH, st.lists(LENGTH, min_size=1, max_size=2), st.integers(0, 2))
def test_one_pair_of_equal_neighbours_is_a_frame(side: int, n: int, others: list[int], place: int) -> None:
    others = [length if length != side else length + 1 for length in others]
    if len(others) == 2 and others[0] == others[1]:
        others[1] += 1 if others[1] + 1 != side else 2
    side = max(side, 2)
    others = [length for length in others if length != side] or [side + 1]
    place = min(place, len(others))
    shape = (*others[:place], side, side, *others[place:])
    equal = [axis for axis in range(len(shape) - 1) if shape[axis] == shape[axis + 1] > 1]
    if equal == [place]:
        assert find_pixel_axes(shape, None, (n,)).axes == range(place, place + 2)
