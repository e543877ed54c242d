"""The patterns of a file: their stages, photons and standard errors, in one pass as a rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evidence.dataset import Frames, Histograms, Pattern, Scan, Stats
from ...readers.npz import Member, NpzFile
from ...readers.zip_member import NpzError
from ...scenario.layout import Layout
from ...statistics.distribution import Distribution, describe
from ...statistics.frames.fingerprints import FrameFingerprints
from ...statistics.frames.frame_pictures import frame_pictures
from ...statistics.frames.frame_statistics import FrameStatistics
from ...statistics.frames.standard_errors import stack_errors
from ...statistics.histograms import ValueCounts, count_values
from ...statistics.photons import PhotonSample, photons_of_frames, with_frames
from ...statistics.records import Photons
from ...statistics.scans import ScanMeans, scan_means
from ...statistics.stack import Stack
from ...statistics.stages import EPSILON, grouped_stats, normalized_stats, stage_stats
from ...statistics.top_values import TopValues
from .axes import find_pixel_axes
from .measurement import Measurement
from .member_source import MemberSource
from .other_arrays import check_dtype
from .plausibility import warn_of_patterns
from .positions import lengths_of, read_scan_index
from .roles import PATTERNS, Roles, what_is_there

_MAX_SCANS = 256  # that are listed one by one


def measure_patterns(
    npz: NpzFile,
    result: Measurement,
    roles: Roles,
    layout: Layout,
    open_stack: Callable[[Member], MemberSource],
) -> None:
    """Measure the patterns of a file.

    Raises
    ------
    NpzError, OSError, MemoryError
        If they cannot be read.
    """
    name = roles.names.get(PATTERNS)
    if name is None:
        if PATTERNS not in roles.absent:
            message = f"there are no patterns in the file, which holds {what_is_there([*npz.members])}; nothing can be "
            result.error(PATTERNS, message + f"measured. If one of these is, say --array {PATTERNS}=NAME", "unmeasured")
        return
    if name in npz.broken:
        return
    member = npz.members[name]
    check_dtype(member)
    if not member.shape:
        raise NpzError("it is a single number; a stack of patterns is expected, frames first")
    if not member.size:
        result.warning("empty", name, f"it is empty (shape {member.shape}); its statistics are zeros")
    pixels = find_pixel_axes(member.shape, layout.axes, lengths_of(npz.members, roles))
    stack = Stack(open_stack(member), pixels.axes)
    if not pixels.is_clear:
        result.warning("axes_unclear", name, _unclear(member, stack))
    groups = member.shape[: pixels.axes.start]
    result.groups = math.prod(groups) if groups else None
    index = read_scan_index(npz, result, roles, stack, result.groups)
    _measure_stack(result, name, stack, index, layout)


def _unclear(member: Member, stack: Stack) -> str:
    n_frames, *pixels = stack.shape
    return (
        f"its shape is {'x'.join(map(str, member.shape))}, and nothing tells which axis counts the frames; it is taken "
        f"as {n_frames} frames of {'x'.join(map(str, pixels))} pixels. Say --axes frames-first or --axes frames-last"
    )


def _measure_stack(result: Measurement, name: str, stack: Stack, index: NDArray[Any] | None, layout: Layout) -> None:
    n_frames, size = stack.shape[0], math.prod(stack.shape)
    result.pixels = math.prod(stack.shape[1:])
    sample, counts, top = PhotonSample(stack.dtype, layout.domain), ValueCounts(size), TopValues()
    frames = FrameStatistics(stack) if size else None
    fingerprints = FrameFingerprints(stack)
    observers = [sample.add, counts.add, top.add, fingerprints.add] if frames else []
    values = describe(stack, observers=observers, frames=frames)
    result.frames = Frames(count=n_frames, order=fingerprints.order, set=fingerprints.set)

    result.warn_if_not_finite(name, values)
    scans = None
    if index is not None:
        scans = scan_means(frames.means() if frames else np.empty(0), index if frames else index[:0])
        result.scans = _scan_records(scans)
    result.stats = Stats(
        raw=stage_stats(values),
        normalized=normalized_stats(values),
        grouped=None if scans is None else grouped_stats(scans),
    )
    result.histograms = _histograms(counts, values, scans)
    photons = sample.count(values, n_frames) if values.count else Photons()
    if frames is not None:
        photons = with_frames(photons, frames)
        centre = frames.sample.centre()
        result.pattern = None if centre is None else Pattern(row=centre[0], column=centre[1])
        in_frames = photons_of_frames(photons, frames)
        result.pictures = frame_pictures(frames, in_frames)
        result.standard_errors = stack_errors(frames, index, in_frames)
        warn_of_patterns(result, name, values, top, frames, photons)
    result.photons = photons


def _histograms(counts: ValueCounts, values: Distribution, scans: ScanMeans | None) -> Histograms:
    raw, divisor = counts.histogram(), values.max + EPSILON
    return Histograms(
        raw=raw,
        normalized=raw.divided(divisor) if raw and divisor > 0 else None,
        grouped=None if scans is None else count_values(scans.measured),
    )


def _scan_records(scans: ScanMeans) -> tuple[Scan, ...]:
    if len(scans.means) > _MAX_SCANS:
        return ()
    columns = (column.tolist() for column in (scans.scan_index, scans.n_patterns, scans.means))
    return tuple(
        Scan(scan_index=index, n_patterns=frames, mean=mean if frames else None)
        for index, frames, mean in zip(*columns, strict=True)
    )
