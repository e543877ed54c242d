"""Statistics of the stages of a dataset and of its probe, as records of the log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..util.records import as_dict
from .blocks import ArraySource, Source, is_measurable, magnitude, phase
from .distribution import Distribution, describe
from .frames.frame_statistics import FrameStatistics
from .records import GroupedStats, PartStats, ProbeStats, StageStats
from .scans import ScanMeans, check_scan_index, scan_means
from .stack import Stack

EPSILON = 1e-12  # added to the maximum before normalising, as the training pipeline does
_PART_PERCENTS = (1, 5, 50, 95, 99)


def stage_stats(values: Distribution) -> StageStats:
    """Return the statistics of a stage from its distribution."""
    return StageStats(
        min=values.min,
        max=values.max,
        mean=values.mean,
        std=values.std,
        median=values.median,
        p01=values.percentile(1),
        p10=values.percentile(10),
        p90=values.percentile(90),
        p99=values.percentile(99),
        nonzero_fraction=values.nonzero_fraction,
        count=values.count,
        nan_count=values.nan_count,
        inf_count=values.inf_count,
    )


def normalized_stats(raw: Distribution) -> StageStats:
    """Return the statistics of ``diff3d / (diff3d.max() + 1e-12)``, from those of ``diff3d``.

    Parameters
    ----------
    raw : Distribution
        The distribution of ``diff3d`` as stored.

    Returns
    -------
    StageStats
        Of the float64 quotients. All zeros where the divisor is zero, which only a maximum of
        exactly -1e-12 gives.
    """
    divisor = raw.max + EPSILON
    if not divisor:
        return stage_stats(Distribution.empty(raw.nan_count, raw.inf_count))
    return stage_stats(raw.divided(divisor))


def grouped_stats(scans: ScanMeans) -> GroupedStats:
    """Return the statistics over the mean intensities of the scans."""
    stats = stage_stats(describe(ArraySource(scans.measured)))
    return GroupedStats(**asdict(stats), n_unique_scans=len(scans.means), n_patterns=scans.n_frames)


def measure_probe(source: Source) -> ProbeStats:
    """Measure a probe.

    Parameters
    ----------
    source : Source
        Complex or real, of any shape.
    """
    amplitude = describe(source, percents=_PART_PERCENTS, transform=_amplitude)
    return ProbeStats(
        amplitude=_part_stats(amplitude),
        phase=_part_stats(describe(source, percents=_PART_PERCENTS, transform=phase)),
        l2_norm=amplitude.l2_norm,
        shape=source.shape,
        dtype=str(source.dtype),
    )


def _amplitude(values: NDArray[Any]) -> NDArray[Any]:
    return magnitude(values.astype(np.complex128))


def _part_stats(values: Distribution) -> PartStats:
    return PartStats(
        min=values.min,
        max=values.max,
        mean=values.mean,
        std=values.std,
        p01=values.percentile(1),
        p05=values.percentile(5),
        p50=values.percentile(50),
        p95=values.percentile(95),
        p99=values.percentile(99),
        nan_count=values.nan_count,
        inf_count=values.inf_count,
    )


@dataclass(frozen=True)
class ArrayStats:
    """Statistics of an array that plays no stage's role; `evidence.model.ArrayInfo` tells what its fields mean."""

    min: float
    max: float
    mean: float
    std: float
    nonzero_fraction: float
    count: int
    nan_count: int
    inf_count: int
    mean_real: float | None = None
    mean_imag: float | None = None


def measure_array(source: Source) -> ArrayStats:
    """Measure an array of any meaning.

    Parameters
    ----------
    source : Source
        Real or complex, of any shape.
    """
    values = describe(source, percents=None)
    parts: tuple[float | None, ...] = (None, None)
    if source.dtype.kind == "c":
        parts = tuple(describe(source, percents=None, transform=part).mean for part in (np.real, np.imag))
    return ArrayStats(
        min=values.min,
        max=values.max,
        mean=values.mean,
        std=values.std,
        nonzero_fraction=values.nonzero_fraction,
        count=values.count,
        nan_count=values.nan_count,
        inf_count=values.inf_count,
        mean_real=parts[0],
        mean_imag=parts[1],
    )


def summarize_array(arr: ArrayLike) -> dict[str, float | int]:
    """Return the statistics of an array as the log holds them for the stage ``raw``.

    Parameters
    ----------
    arr : array_like
        Any shape; boolean, integer, real, or complex (reduced to its magnitude).

    Returns
    -------
    dict
        The fields of `StageStats`; the counts of NaN and infinities only when not zero.

    Raises
    ------
    TypeError
        If the dtype is not numeric.

    Examples
    --------
    >>> summarize_array([0.0, 1.0, 2.0, 0.0, 3.0])["nonzero_fraction"]
    0.6
    """
    return as_dict(stage_stats(describe(_numeric(arr))))


def summarize_grouped(diff3d: ArrayLike, scan_index: ArrayLike) -> dict[str, float | int]:
    """Return the statistics over scans as the log holds them for the stage ``grouped``.

    Parameters
    ----------
    diff3d : (n, ...) array_like
        n frames.
    scan_index : (n,) array_like of int
        Which scan each frame belongs to.

    Returns
    -------
    dict
        The fields of `GroupedStats`.

    Raises
    ------
    ScanIndexError
        If `scan_index` is not integral or not of length n.
    TypeError
        If `diff3d` is not numeric, or has no axis of frames.
    """
    source = _numeric(diff3d)
    if not source.shape:
        raise TypeError("diff3d is a single number; an array of frames is expected")
    index = np.asarray(scan_index)
    check_scan_index(index.dtype, index.size, source.shape[0])
    stack = Stack(source)
    frames = FrameStatistics(stack)
    describe(stack, percents=None, frames=frames)
    return as_dict(grouped_stats(scan_means(frames.means(), index)))


def summarize_probe(probe_array: ArrayLike) -> dict[str, Any]:
    """Return the statistics of a probe as the log holds them.

    Parameters
    ----------
    probe_array : array_like
        Complex or real, any shape.

    Returns
    -------
    dict
        ``amplitude`` and ``phase`` (the fields of `PartStats`), ``l2_norm``, ``shape``, ``dtype``.

    Raises
    ------
    TypeError
        If the dtype is not numeric.
    """
    probe = measure_probe(_numeric(probe_array))
    return as_dict(probe) | {
        "amplitude": as_dict(probe.amplitude),
        "phase": as_dict(probe.phase),
        "shape": list(probe.shape),
    }


def _numeric(array: ArrayLike) -> ArraySource:
    source = ArraySource(array)
    if not is_measurable(source.dtype):
        raise TypeError(f"an array of {source.dtype} cannot be measured; numbers are expected")
    return source
