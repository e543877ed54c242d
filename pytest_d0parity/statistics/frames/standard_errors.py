"""How much statistics scatter because these frames, and not others of the same source, were taken.

The frames are put into golden order and cut into sixteen groups. With T the statistic of a group and s the sample
standard deviation of the sixteen, the standard error of the statistic is s / 4; that of an extreme is s itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocks import is_measurable, magnitude
from ..moments import pairwise_sum, row_sums, sample_deviation
from ..scans import scan_means
from .frame_statistics import GROUPS, FrameStatistics, centre_of, golden_order, groups_of

MIN_FRAMES = 32  # with fewer there are no standard errors
_PERCENTS = {"p01": 1, "p10": 10, "median": 50, "p90": 90, "p99": 99}
_EXTREMES = ("min", "max")
_SMALL = 1 << 18  # values of an array of which all groups are measured at once

Values = NDArray[np.float64]


def stack_errors(frames: FrameStatistics, scan_index: NDArray[Any] | None, photons: Values | None) -> dict[str, float]:
    """Return the standard errors of the statistics of a stack of patterns.

    Parameters
    ----------
    frames : FrameStatistics
        What each frame holds.
    scan_index : (n,) ndarray of int, or None
        Which scan each frame belongs to, in the order of the stream.
    photons : (n,) ndarray of float64, or None
        Photons in each frame, in the order of the stream; None where they were not counted.

    Returns
    -------
    dict of str to float
        By the dotted name of the statistic; without those whose scatter is not known, and empty for fewer than 32
        frames.
    """
    if frames.n_frames < MIN_FRAMES:
        return {}
    places = frames.stack.in_order(np.arange(frames.n_frames))  # of the frames in the stream
    order = places[golden_order(frames.n_frames)]
    groups = [order[part] for part in groups_of(frames.n_frames)]
    sample = frames.sample
    parts = groups_of(len(sample.frames))
    share = math.sqrt(len(sample.frames) / frames.n_frames)
    raw = [_sorted_statistics(np.sort(sample.values[part], axis=None)) for part in parts]  # one at a time: it is large
    with np.errstate(all="ignore"):
        found: dict[str, float | None] = {}
        for name in (*_PERCENTS, "std"):
            u = _error([each.get(name) for each in raw])
            found[f"raw.{name}"] = None if u is None else u * share
        found["raw.mean"] = _error([_ratio(frames.sums[group], frames.counts[group]) for group in groups])
        found["raw.nonzero_fraction"] = _error(
            [_ratio(frames.nonzero[group], frames.counts[group]) for group in groups]
        )
        found["raw.min"] = _spread([frames.low[group].min() for group in groups])
        found["raw.max"] = _spread([frames.high[group].max() for group in groups])
        for axis, profiles in zip(("row", "column"), sample.group_profiles or (), strict=False):
            found[f"pattern.{axis}"] = _error([centre_of(profile) for profile in profiles])
        if scan_index is not None:
            found |= dict(_grouped_errors(frames.means(), scan_index, groups))
        if photons is not None:
            found |= dict(_photon_errors(photons, groups))
    return {name: u for name, u in found.items() if u is not None}


def array_errors(array: NDArray[Any], n_frames: int) -> dict[str, float]:
    """Return the standard errors of the statistics of an array that has a row for each frame.

    Parameters
    ----------
    array : (n, ...) ndarray
        Of numbers; complex ones by their magnitude.
    n_frames : int
        Number of frames. An array of another length has no standard errors.
    """
    if array.ndim == 0 or len(array) != n_frames or n_frames < MIN_FRAMES or not is_measurable(array.dtype):
        return {}
    order = golden_order(n_frames)
    groups = [order[part] for part in groups_of(n_frames)]
    at_once = GROUPS if array.size <= _SMALL else 1  # for memory is dear
    statistics: list[dict[str, float]] = []
    with np.errstate(all="ignore"):  # a deviation may be larger than every float
        for first in range(0, GROUPS, at_once):
            values = [
                magnitude(array[group].reshape(-1)).astype(np.float64) for group in groups[first : first + at_once]
            ]
            statistics += _statistics([each[np.isfinite(each)] for each in values])
    names = ("mean", "std", "nonzero_fraction", *_EXTREMES)
    found = {name: _of(name)([each.get(name) for each in statistics]) for name in names}
    return {name: u for name, u in found.items() if u is not None}


def _grouped_errors(
    means: Values, scan_index: NDArray[Any], groups: Sequence[NDArray[np.int64]]
) -> Iterator[tuple[str, float | None]]:
    values = [np.sort(scan_means(means[group], scan_index[group]).measured) for group in groups]
    statistics = [_percentiles(each) | others for each, others in zip(values, _statistics(values), strict=True)]
    for name in ("mean", "std", *_PERCENTS, *_EXTREMES):
        yield f"grouped.{name}", _of(name)([each.get(name) for each in statistics])


def _photon_errors(counts: Values, groups: Sequence[NDArray[np.int64]]) -> Iterator[tuple[str, float | None]]:
    statistics = _statistics([counts[group] for group in groups])
    for name, key in (("per_pattern", "mean"), ("std", "std"), ("min", "min"), ("max", "max")):
        yield f"photons.{name}", _of(key)([each.get(key) for each in statistics])


def _of(name: str) -> Callable[[Sequence[float | None]], float | None]:
    return _spread if name in _EXTREMES else _error


def _error(statistics: Sequence[float | None]) -> float | None:
    spread = _spread(statistics)
    return None if spread is None else spread / math.sqrt(GROUPS)


def _spread(statistics: Sequence[float | None]) -> float | None:
    """Return the sample standard deviation; None where a statistic is missing or not finite."""
    values = [float(value) for value in statistics if value is not None and math.isfinite(value)]
    if len(values) < GROUPS:
        return None
    spread = sample_deviation(values)
    return spread if math.isfinite(spread) else None


def _statistics(groups: Sequence[Values]) -> list[dict[str, float]]:
    """Return of each group mean, standard deviation, extremes and share of nonzero values; nothing of no values."""
    found: list[dict[str, float]] = [{} for _ in groups]
    lengths = [len(values) for values in groups]
    for length in set(lengths) - {0}:
        members = [number for number, each in enumerate(lengths) if each == length]
        rows = np.stack([groups[number] for number in members])
        columns = {
            "min": rows.min(axis=1),
            "max": rows.max(axis=1),
            "nonzero_fraction": np.count_nonzero(rows, axis=1) / length,
            "mean": row_sums(rows) / length,
        }
        rows -= columns["mean"][:, np.newaxis]
        rows *= rows
        columns["std"] = np.sqrt(row_sums(rows) / length)
        for place, number in enumerate(members):
            found[number] = {name: float(column[place]) for name, column in columns.items()}
    return found


def _sorted_statistics(values: NDArray[Any]) -> dict[str, float]:
    """Return percentiles and standard deviation of ascending values; NaN stand at the end."""
    finite = values[: int(np.searchsorted(values, np.inf, "right"))]
    (statistics,) = _statistics([finite.astype(np.float64)])
    return _percentiles(finite) | {name: value for name, value in statistics.items() if name == "std"}


def _percentiles(ascending: NDArray[Any]) -> dict[str, float]:
    return {name: _percentile(ascending, percent) for name, percent in _PERCENTS.items()} if ascending.size else {}


def _percentile(ascending: NDArray[Any], percent: int) -> float:
    """Interpolate linearly between order statistics, by NumPy's formula and with its rounding."""
    position = (len(ascending) - 1) * (percent / 100)
    below = math.floor(position)
    low, high = float(ascending[below]), float(ascending[min(below + 1, len(ascending) - 1)])
    share = position - below
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def _ratio(sums: Values, counts: Values) -> float | None:
    count = pairwise_sum(counts)
    return float(pairwise_sum(sums) / count) if count else None
