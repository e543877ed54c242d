"""Which axes of an array of patterns are rows and columns; all others count frames."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...scenario.layout import Axes


@dataclass(frozen=True)
class PixelAxes:
    """The axes of rows and columns.

    Attributes
    ----------
    axes : range
        Next to each other; of arrays with few axes fewer than two.
    is_clear : bool
        False where nothing could tell.
    """

    axes: range
    is_clear: bool = True


def find_pixel_axes(shape: tuple[int, ...], told: Axes | None, entries: Collection[int]) -> PixelAxes:
    """Find the axes of rows and columns in the shape of an array of patterns.

    Where exactly one pair of neighbouring lengths is equal, these are rows and columns. Else the pair counts with
    which there is an entry of positions or scan index for each pattern, or for each group of patterns; first of all
    that which follows the first axis.

    Parameters
    ----------
    shape : tuple of int
        With one axis at least.
    told : str or None
        ``frames-first``: rows and columns follow the first axis; ``frames-last``: they stand before the last one.
    entries : collection of int
        The lengths of positions and scan index.
    """
    last = len(shape) - 1
    if last < 1:
        return PixelAxes(range(1, 1))
    if last == 1:
        return PixelAxes(_of_matrix(shape, told, entries))
    if told is not None:
        return PixelAxes(range(1, 3) if told == "frames-first" else range(last - 2, last))
    equal = [axis for axis in range(last) if shape[axis] == shape[axis + 1] and shape[axis] > 1]
    if len(equal) == 1:
        return PixelAxes(range(equal[0], equal[0] + 2))
    candidates = sorted(equal or range(last), key=lambda axis: (axis != 1, -axis))
    for axis in candidates:
        if set(_counts(shape, axis)) & set(entries):
            return PixelAxes(range(axis, axis + 2))
    return PixelAxes(range(candidates[0], candidates[0] + 2), is_clear=False)


def _of_matrix(shape: tuple[int, ...], told: Axes | None, entries: Collection[int]) -> range:
    if told is None and shape[0] == shape[1] and shape[0] not in entries:
        return range(2)  # a single pattern
    return range(1) if told == "frames-last" else range(1, 2)


def _counts(shape: tuple[int, ...], axis: int) -> Iterator[int]:
    """Yield how many patterns there are if rows and columns are this axis and the next; and how many groups of them."""
    groups = math.prod(shape[:axis])
    yield groups * math.prod(shape[axis + 2 :])
    if axis > 0:
        yield groups
