"""Mean patterns, their radial profiles, and what the frames hold over the scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...evidence.artifacts import PICTURES
from ...evidence.pictures import name_of
from ...statistics.frames.frame_pictures import FramePictures
from ...util.text import counted
from .compared_parts import ComparedParts
from .drawing.charts import Chart, over_number, scan_map
from .drawing.pictures import Picture, difference_picture, logarithmic_pictures, picture_side
from .shown_log import ShownDataset, ShownLog

_MOST = 24  # datasets that are shown, those that drift first
_POINTS = 500  # of a chart


@dataclass(frozen=True)
class PatternView:
    """The mean pattern of a dataset, and what its frames hold.

    Attributes
    ----------
    pictures : sequence of (str, Picture)
        The mean pattern of the run, the reference's, and their difference.
    charts : sequence of Chart
        Its radial profile, and the photons of the frames.
    remark : str
        In sentences.
    drifts : bool
        Whether anything of the dataset does.
    """

    name: str
    pictures: Sequence[tuple[str, Picture]]
    charts: Sequence[Chart]
    remark: str
    drifts: bool


@dataclass(frozen=True)
class PositionView:
    """Positions that some datasets share, and the reference's."""

    names: Sequence[str]
    chart: Chart
    remark: str


def pattern_views(run: ShownLog, reference: ShownLog | None, parts: ComparedParts) -> tuple[list[PatternView], str]:
    """Return the patterns of datasets, those that drift first, and a sentence on those that are not shown."""
    names = sorted(run.datasets, key=lambda name: -bool(parts.drift_count(name)))
    there = [name for name in names if run.pictures.frames_of(run.datasets[name].record)]
    order = [name for name in run.datasets if name in {*there[:_MOST]}]
    side = picture_side(3 * len(order))
    views = [_view(name, run, reference, side, drifts=bool(parts.drift_count(name))) for name in order]
    if not there:
        return [], run.pictures.remark or f"{PICTURES} does not hold the mean patterns, as with logs of older versions."
    left = len(run.datasets) - len(views)
    return views, f"{counted(left, 'more dataset')} not shown." if left else ""


def _view(name: str, run: ShownLog, reference: ShownLog | None, side: int, *, drifts: bool) -> PatternView:
    dataset, other = run.datasets[name], reference.datasets.get(name) if reference else None
    ours = run.pictures.frames_of(dataset.record)
    theirs = reference.pictures.frames_of(other.record) if reference and other else None
    assert ours is not None  # noqa: S101 - the caller has looked
    pictures = _pictures(ours, theirs, side)
    remark = ""
    if reference is not None and theirs is None:
        remark = "The reference's mean pattern is not at hand."
    elif theirs is not None and theirs.shape != ours.shape:
        remark = "The reference's patterns have another shape."
    if ours.binned > 1:
        remark = f"{remark} Each pixel of the picture is the mean of {ours.binned} x {ours.binned}.".strip()
    charts = [_profile(ours, theirs), _frames(dataset, ours, theirs, run)]
    return PatternView(name, pictures, charts, remark, drifts)


def _pictures(ours: FramePictures, theirs: FramePictures | None, side: int) -> list[tuple[str, Picture]]:
    patterns = [ours.pattern_array] if theirs is None else [ours.pattern_array, theirs.pattern_array]
    title = "mean pattern" if theirs is None else "mean pattern, on one scale with the other"
    shown = logarithmic_pictures(title, patterns, side, ours.binned)
    pictures = [*zip(("this run", "reference"), shown, strict=False)]
    if len(patterns) == 2 and patterns[0].shape == patterns[1].shape:
        pictures.append(("run minus reference", difference_picture(patterns[0], patterns[1], side, ours.binned)))
    return pictures


def radial_profile(pattern: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of a pattern over rings one pixel wide around its middle, (h // 2, w // 2)."""
    rows, columns = np.indices(pattern.shape)
    radius = np.hypot(rows - pattern.shape[0] // 2, columns - pattern.shape[1] // 2).round().astype(int).reshape(-1)
    counts = np.bincount(radius)
    sums = np.bincount(radius, weights=pattern.astype(np.float64).reshape(-1))
    return np.asarray((sums / counts)[: max(pattern.shape) // 2 + 1])


def _profile(ours: FramePictures, theirs: FramePictures | None) -> Chart:
    curves = [
        [] if seen is None else _curve(radial_profile(seen.pattern_array), seen.binned) for seen in (ours, theirs)
    ]
    return over_number("radial profile of the mean", "distance from the middle (pixels)", *curves)


def _frames(dataset: ShownDataset, ours: FramePictures, theirs: FramePictures | None, run: ShownLog) -> Chart:
    """Draw the photons of the frames over the scan, or, without positions, over their number."""
    title = "photons per frame" if dataset.values.get("photons.quantized") is True else "mean of each frame"
    values = ours.values_array
    positions = [run.pictures.array_of(dataset.record, role) for role in ("xcoords", "ycoords")]
    x, y = (None if each is None else _thinned(each, ours.every) for each in positions)
    if x is not None and y is not None and len(x) == len(y) == len(values):
        return scan_map(f"{title}, over the scan", [*_triples(x, y, values)])
    curves = [[] if seen is None else _curve(seen.values_array, seen.every) for seen in (ours, theirs)]
    return over_number(title, "number of the frame", *(curve[:: max(1, len(curve) // _POINTS)] for curve in curves))


def _thinned(positions: NDArray[np.generic], every: int) -> NDArray[np.float64] | None:
    if np.iscomplexobj(positions):
        return None
    return np.asarray(positions.reshape(-1)[::every], np.float64)


def _triples(
    x: NDArray[np.float64], y: NDArray[np.float64], values: NDArray[np.float32]
) -> Iterator[tuple[float, float, float]]:
    step = max(1, len(values) // (2 * _POINTS))
    for triple in zip(x[::step].tolist(), y[::step].tolist(), values[::step].tolist(), strict=True):
        if all(abs(value) < 1e100 for value in triple):
            yield triple


def _curve(values: NDArray[np.floating], step: int) -> list[tuple[float, float]]:
    """Return values over their numbers times a step, without those that would stretch the axes."""
    return [(float(number * step), value) for number, value in enumerate(values.tolist()) if abs(value) < 1e100]


def position_views(run: ShownLog, reference: ShownLog | None) -> list[PositionView]:
    """Return each distinct pair of positions, with the reference's and the displacement."""
    shared: dict[tuple[str | None, ...], list[str]] = {}
    for name, dataset in run.datasets.items():
        other = reference.datasets.get(name) if reference else None
        both = [(each, role) for each in (dataset, other) for role in ("xcoords", "ycoords")]
        key = [name_of(each.record, role) if each else None for each, role in both]
        if all(part in run.pictures.arrays for part in key[:2]):
            shared.setdefault(tuple(key), []).append(name)
    views = (_position_view(names, key, run, reference) for key, names in [*shared.items()][:_MOST])
    return [view for view in views if view is not None]


def _position_view(
    names: Sequence[str], key: Sequence[str | None], run: ShownLog, reference: ShownLog | None
) -> PositionView | None:
    ours = _places(run, key[:2])
    if ours is None:
        return None
    theirs = _places(reference, key[2:]) if reference else None
    remark = ""
    if theirs is not None and len(theirs) == len(ours):
        moved = np.hypot(*(ours - theirs).T)
        far = f"Displacement from the reference's: {moved.mean():.4g} on average, {moved.max():.4g} at most."
        remark = far if moved.any() else "The positions are the reference's."
    elif reference is not None:
        remark = "The reference's positions are not at hand, or are others in number."
    step = max(1, len(ours) // (2 * _POINTS))
    places = [
        [] if each is None else [(x, y) for x, y in each[::step].tolist() if abs(x) < 1e100 and abs(y) < 1e100]
        for each in (ours, theirs)
    ]
    label = "x, in the unit of the file"
    chart = over_number("positions", label, *places, joined=False, logarithmic=False, upright="y")
    return PositionView(names, chart, remark)


def _places(log: ShownLog, key: Sequence[str | None]) -> NDArray[np.float64] | None:
    arrays = [log.pictures.arrays.get(name or "") for name in key]
    if any(each is None or np.iscomplexobj(each) for each in arrays):
        return None
    x, y = (np.asarray(each, np.float64).reshape(-1) for each in arrays)
    return np.stack([x, y], axis=1) if len(x) == len(y) and len(x) else None
