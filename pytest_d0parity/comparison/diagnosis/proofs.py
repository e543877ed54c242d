"""What statistics of two arrays prove: one is the other times a factor, squared, in another precision, or negated.

Each function returns nothing where it cannot be sure. They take plain numbers by name, of the reference and of the
array beside it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Stats = Mapping[str, Any]

ORDER = ("min", "p01", "p10", "median", "p90", "p99", "max")  # ascending
_SAME_MEAN = 1e-12  # relative: means and deviations of the same values, summed in another order
_ONE_FACTOR = 1e-6  # relative
_SURELY_NOT_ONE = 4e-6  # a factor nearer to one may be rounding
_SQUARES = 1e-5  # relative, of squares of float32

# Formats of `struct`, the relative distance of neighbouring values, and the smallest value for which it holds.
_FLOATS = {
    "float16": ("<e", 2.0**-10, 2.0**-14),
    "float32": ("<f", 2.0**-23, 2.0**-126),
    "float64": ("<d", 2.0**-52, 2.0**-1022),
}
_SHORT = {"f2": "float16", "f4": "float32", "f8": "float64"}


def numbers(stats: Stats, names: Iterable[str]) -> list[float] | None:
    """Return the statistics of these names; None if one is missing or not finite."""
    found: list[Any] = [stats.get(name) for name in names]
    if all(type(value) in (int, float) and math.isfinite(value) for value in found):
        return [float(value) for value in found]
    return None


def is_near(value: float, other: float, relative: float) -> bool:
    """Whether two values differ by no more than a share of the second; zero is near to zero alone."""
    return abs(value - other) <= relative * abs(other)


def factor(expected: Stats, observed: Stats, names: Iterable[str]) -> float | None:
    """Return the one positive factor, other than one, by which all these statistics differ."""
    names = tuple(names)
    before, after = numbers(expected, names), numbers(observed, names)
    if not before or not after or not _same_counts(expected, observed):
        return None
    largest = max(range(len(names)), key=lambda at: abs(before[at]))
    if not before[largest] or after[largest] / before[largest] <= 0:
        return None
    found = after[largest] / before[largest]
    if is_near(found, 1.0, _SURELY_NOT_ONE):
        return None
    each = zip(before, after, strict=True)
    return found if all(is_near(new, found * old, _ONE_FACTOR) for old, new in each) else None


def square(expected: Stats, observed: Stats) -> float | None:
    """Return k where the observed values are k times the squares of the reference's.

    The extremes and the mean must fit; a percentile between two values may lie above the square of the percentile, as
    the mean of two squares lies above the square of their mean.
    """
    before, after = numbers(expected, (*ORDER, "mean", "std")), numbers(observed, (*ORDER, "mean"))
    if not before or not after or not _same_counts(expected, observed) or before[0] < 0 or not before[6]:
        return None
    if len({value for value in before[:7] if value}) < 3:
        return None
    found = after[6] / before[6] ** 2
    mean_of_squares = before[7] ** 2 + before[8] ** 2
    squares = [found * value**2 for value in before[:7]]
    fits = (
        found > 0
        and is_near(after[0], squares[0], _SQUARES)
        and is_near(after[7], found * mean_of_squares, _SQUARES)
        and all(new >= squared * (1 - _SQUARES) for squared, new in zip(squares, after[:7], strict=True))
        and sum(is_near(new, squared, _SQUARES) for squared, new in zip(squares, after[:7], strict=True) if squared) > 2
    )
    return found if fits else None


@dataclass(frozen=True)
class Precision:
    """The coarser and the finer of two floating dtypes, and whether it is the observed one that is coarser."""

    coarser: str
    finer: str


def precision(expected: Stats, observed: Stats, dtypes: tuple[Any, Any]) -> Precision | None:
    """Return the two dtypes where the values of one are those of the other, rounded to the coarser one."""
    kinds = [_float_name(dtype) for dtype in dtypes]
    before, after = numbers(expected, ORDER), numbers(observed, ORDER)
    if None in kinds or kinds[0] == kinds[1] or not before or not after or not _same(expected, observed, ("count",)):
        return None
    coarser, finer = sorted((kind for kind in kinds if kind), key=[*_FLOATS].index)
    fine, coarse = (before, after) if kinds[1] == coarser else (after, before)
    rounded = [_rounded(value, coarser) for value in fine]
    _, spacing, smallest = _FLOATS[coarser]
    exact = all(rounded[at] == coarse[at] for at in (0, 6)) and _rounds_to(expected, observed, spacing, smallest)
    # A percentile between two values that were rounded moves by half a unit in the last place at most.
    near = all(
        new == old or abs(new - old) <= spacing / 2 * max(abs(old), smallest)
        for new, old in zip(coarse, fine, strict=True)
    )
    return Precision(coarser, finer) if exact and near else None


def _rounds_to(expected: Stats, observed: Stats, spacing: float, smallest: float) -> bool:
    """Whether mean and deviation differ by no more than rounding each value to its nearest neighbour can move them."""
    before, after = numbers(expected, ("mean", "std")), numbers(observed, ("mean", "std"))
    if not before or not after:
        return False
    most = (spacing / 2 + _SAME_MEAN) * max(math.hypot(*before), smallest)
    # Of float16, small values may become zero.
    kept = spacing > _FLOATS["float32"][1] or _same(expected, observed, ("nonzero_fraction",))
    return kept and all(abs(new - old) <= most for old, new in zip(before, after, strict=True))


def same_values(expected: Stats, observed: Stats) -> bool:
    """Whether all statistics are those of the same values, added up in whatever order."""
    before, after = numbers(expected, ("mean", "std")), numbers(observed, ("mean", "std"))
    if not before or not after or not _same_counts(expected, observed) or not _same(expected, observed, ORDER):
        return False
    return all(is_near(new, old, _SAME_MEAN) for old, new in zip(before, after, strict=True))


def is_negated(expected: Stats, observed: Stats) -> bool:
    """Whether minimum, maximum and mean are those of the other with the sign turned, and the deviation is the same."""
    names = ("min", "max", "mean", "std")
    before, after = numbers(expected, names), numbers(observed, names)
    if not before or not after or not _same_counts(expected, observed):
        return False
    turned = [-before[1], -before[0], -before[2], before[3]]
    return _are_near(after, turned) and not _are_near(after, before)


def _are_near(values: list[float], others: list[float]) -> bool:
    return all(is_near(value, other, _SAME_MEAN) for value, other in zip(values, others, strict=True))


def _same_counts(expected: Stats, observed: Stats) -> bool:
    # Older logs do not count what is not finite.
    known = [name for name in ("nan_count", "inf_count") if name in expected and name in observed]
    return _same(expected, observed, ("count", "nonzero_fraction", *known))


def _same(expected: Stats, observed: Stats, names: Iterable[str]) -> bool:
    return all(expected.get(name) == observed.get(name) for name in names)


def _float_name(dtype: object) -> str | None:
    """Return the name of a floating dtype as NumPy prints it, whatever its byte order; None for others."""
    name = str(dtype).lstrip("<>=")
    name = _SHORT.get(name, name)
    return name if name in _FLOATS else None


def _rounded(value: float, dtype: str) -> float:
    layout = _FLOATS[dtype][0]
    try:
        return float(struct.unpack(layout, struct.pack(layout, value))[0])
    except OverflowError:  # beyond the largest value of the dtype
        return math.copysign(math.inf, value)
