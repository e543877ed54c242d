"""Charts over the dose, and histograms of ``diff3d``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ...evidence.dataset import Scalar
from ...util.text import counted, listed, printable
from .compared_parts import ComparedParts
from .drawing.charts import Chart, Curve, Point, deviations, dose_ladder, over_dose
from .drawing.histogram import Bars, draw_bars
from .shown_log import ShownDataset, ShownLog

_STATISTICS = {
    "mean": ("mean",),
    "standard deviation": ("std",),
    "percentiles": ("p01", "median", "p99"),
    "nonzero fraction": ("nonzero_fraction",),
}
_LABELS = {"median": "p50"}
_LISTED = 10  # names in a sentence


class DoseCharts:
    """Charts of a log, with the reference under it."""

    def __init__(self, run: ShownLog, reference: ShownLog | None, parts: ComparedParts) -> None:
        self._run = run
        self._reference = reference
        self._parts = parts

    def ladder(self) -> Chart:
        """Draw photons counted back over the dose that was told."""
        drifting = self._parts.drifting("photons.per_pattern")
        points = [
            replace(point, stands_out=point.stands_out or name in drifting)
            for name, dataset in self._run.datasets.items()
            if (point := _point(name, dataset))
        ]
        reference = [
            point
            for name, dataset in (self._reference.datasets.items() if self._reference else ())
            if (point := _point(name, dataset))
        ]
        outliers = [point for point in points if point.stands_out]
        on_ladder = sum(point.counted > 0 for point in points)
        alt = f"Photons counted back over the dose, for {counted(on_ladder, 'dataset')}"
        alt += "; off the line or drifting: " if outliers else "; none lies off the line of equality" * (on_ladder > 0)
        alt += "; ".join(
            f"{point.name}, told {point.dose:g} and counted {point.counted:.4g}" for point in outliers[:_LISTED]
        )
        if uncounted := [point.name for point in points if not point.counted]:
            alt += f"; not quantized: {listed(uncounted, _LISTED)}"
        return dose_ladder(points, reference, alt)

    def deviations(self) -> Chart | None:
        """Draw by how much counted and told photons differ; None where there is nothing to draw."""
        points = []
        for name, dataset in self._run.datasets.items():
            point, frames = _point(name, dataset), dataset.record.frames
            if point is not None and point.counted and 0.5 < point.counted / point.dose < 2 and frames is not None:
                points.append((point, 1 / math.sqrt(max(point.counted * frames.count, 1))))
        if not points:
            return None
        farthest = max(points, key=lambda pair: abs(pair[0].counted / pair[0].dose - 1))[0]
        alt = f"Counted over told photons less one, of {counted(len(points), 'dataset')}; the largest is "
        return deviations(points, f"{alt}{farthest.counted / farthest.dose - 1:+.3g} of {farthest.name}")

    def off_the_ladder(self) -> list[str]:
        """Return sentences about the datasets that stand out on the ladder, or are not on it."""
        sentences = []
        uncounted = []
        for name, dataset in self._run.datasets.items():
            values = dataset.values
            photons, ratio = values.get("photons.per_pattern"), values.get("photons.ratio")
            if values.get("photons.quantized") is False:
                uncounted.append(name)
            elif isinstance(photons, float) and dataset.dose is None:
                sentences.append(
                    f"{printable(name)} names no dose; {photons:.6g} photons per pattern are counted in it."
                )
            elif isinstance(photons, float) and isinstance(ratio, float) and _is_mislabelled(dataset):
                sentences.append(
                    f"{printable(name)} stands out: it should hold {dataset.record.photon_dose}, and {photons:.6g} "
                    f"photons per pattern are counted in it ({ratio:.4g} times as many)."
                )
        total = len(self._run.datasets)
        left = [name for name, dataset in self._run.datasets.items() if "photons.quantized" not in dataset.values]
        if left:
            sentences.append(f"No photons were counted ({len(left)} of {total}): {listed(left, _LISTED)}.")
        if uncounted:
            sentences.append(
                f"Not quantized, so that no photons can be counted ({len(uncounted)} of {total}): "
                f"{listed(uncounted, _LISTED)}. A measured or processed set is like that; a simulated one should not "
                "be."
            )
        return sentences

    def stages(self) -> Iterator[tuple[str, list[Chart]]]:
        """Draw each statistic of raw and normalized over the dose."""
        doses = [
            d.dose
            for log in (self._run, self._reference)
            if log
            for d in log.datasets.values()
            if d.dose and _is_charted(d.dose)
        ]
        if not doses:
            return
        ends = min(doses), max(doses)
        for stage in ("raw", "normalized"):
            yield stage, [self._chart(stage, title, keys, ends) for title, keys in _STATISTICS.items()]

    def _chart(self, stage: str, title: str, keys: Sequence[str], ends: tuple[float, float]) -> Chart:
        curves = [self._curve(_LABELS.get(key, key), f"{stage}.{key}") for key in keys]
        runs = [value for curve in curves for _, value in curve.run]
        alt = f"{title} of {stage} over the dose"
        if runs:
            alt += f", from {min(runs):.4g} to {max(runs):.4g}"
        left_out = [name for name in self._run.datasets if not self._parts.is_compared(name, stage)]
        if left_out:
            alt += f"; not compared in {len(left_out)} datasets"
        elif self._parts.compared:
            drifting = dict.fromkeys(name for key in keys for name in self._parts.drifting(f"{stage}.{key}"))
            alt += f"; drifts in {', '.join(map(printable, drifting))}" if drifting else "; no drift"
        return over_dose(title, curves, ends, alt)

    def _curve(self, label: str, value: str) -> Curve:
        ours = self._run.datasets
        theirs = self._reference.datasets if self._reference else {}
        return Curve(label, _places(ours, value), _places(theirs, value), _places(self._parts.drifting(value), value))

    def histograms(self) -> Iterator[tuple[str, Bars | None]]:
        """Draw the distribution of ``diff3d`` of each dataset, the reference's as outline."""
        for name, dataset in self._run.datasets.items():
            other = self._reference.datasets.get(name) if self._reference else None
            raw = dataset.record.histograms.raw
            reference = other.record.histograms.raw if other else None
            yield name, draw_bars(raw, reference, _count(dataset), dataset.record.photons) if raw else None


def _point(name: str, dataset: ShownDataset) -> Point | None:
    photons = dataset.values.get("photons.per_pattern")
    if not dataset.dose or not _is_charted(dataset.dose):
        return None
    if dataset.values.get("photons.quantized") is False:
        return Point(printable(name), dataset.dose, 0.0)
    if not isinstance(photons, float) or photons <= 0 or not _is_charted(photons):
        return None
    return Point(printable(name), dataset.dose, photons, _is_mislabelled(dataset))


def _is_mislabelled(dataset: ShownDataset) -> bool:
    """Whether the log says that other photons were counted; in older ones the warning has no name."""
    return any(
        problem.name == "mislabelled" or (not problem.name and problem.where.endswith(":photons"))
        for problem in dataset.record.problems
    )


def _places(datasets: Mapping[str, ShownDataset], name: str) -> list[tuple[float, float]]:
    places = ((dataset.dose, dataset.values.get(name)) for dataset in datasets.values())
    return [
        (dose, float(value))
        for dose, value in places
        if _is_charted(dose) and _is_charted(value) and isinstance(dose, float) and isinstance(value, int | float)
    ]


def _count(dataset: ShownDataset) -> int | None:
    count = dataset.values.get("raw.count")
    return count if isinstance(count, int) else None


def _is_charted(value: Scalar) -> bool:
    """Whether a value is drawn: those beyond 1e±100 are errors, and would stretch the axes."""
    return isinstance(value, int | float) and (value == 0 or 1e-100 <= abs(value) <= 1e100)
