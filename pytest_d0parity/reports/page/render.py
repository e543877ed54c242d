"""The page for people who look: a log as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ...compare.diagnosis import dataset_at
from ...compare.log_view import Recorded, RecordedDataset
from ...evidence.artifacts import PROBES
from ...evidence.encoding import convert_for_json
from ...evidence.model import Difference, Scalar
from ...statistics.records import MISLABELLED
from ...util.text import printable
from ..difference_table import difference_cells
from ..digest import INTERPRETATION, VERDICTS
from ..outcome import Outcome
from .charts import Curve, Point, dose_ladder, over_dose
from .histogram_svg import Bars, draw_bars
from .pictures import Picture, difference_pictures, picture_side, probe_pictures, scales, to_plane

_FEW = 24  # datasets, up to which every section is open
_ROWS = 2000  # of a table whose length the number of datasets does not bound
_PARTS = ("file", "arrays", "raw", "normalized", "grouped", "photons", "probe")  # in the order of the pipeline
_STATISTICS = {
    "mean": ("mean",),
    "standard deviation": ("std",),
    "percentiles": ("p01", "median", "p99"),
    "nonzero fraction": ("nonzero_fraction",),
}
_CALLED = {"median": "p50"}
_WORST = ("drift", "within_thresholds", "repacked", "not_compared")
_LISTED = 10  # names in a sentence
_NOT_KEPT = f"{PROBES} does not hold it."
_SCANS = 2  # from so many scans on they are shown one by one


def to_html(run: Recorded, reference: Recorded | None, outcome: Outcome) -> str:
    """Write a log for people who look.

    Parameters
    ----------
    run : Recorded
        The log.
    reference : Recorded or None
        The log that it was compared with, where it can be read.
    outcome : Outcome
        What came of the comparison.

    Returns
    -------
    str
        One HTML page. The same logs give the same page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_d0parity.reports.page", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "said": said,
        "cells": difference_cells,
        "number": number,
        "plain": printable,
        "thousands": lambda count: f"{count:,}",
    }
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    view = _View(run, reference, outcome)
    return environment.get_template("page.html").render(
        style=Markup(style),  # noqa: S704 - our own words
        script=Markup(script),  # noqa: S704
        policy=_policy(script),
        view=view,
        run=run,
        reference=reference,
        outcome=outcome,
        verdict=Markup(_inline(VERDICTS[run.verdict])),  # noqa: S704
        interpretation=[Markup(_inline(line)) for line in INTERPRETATION.removeprefix("- ").split("\n- ")],  # noqa: S704
    )


def _policy(script: str) -> str:
    """Allow the page nothing but its own script, its own style, and pictures that it holds."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(text: str) -> str:
    """Make HTML of a line of our own Markdown."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


# --- values in words ---------------------------------------------------------------------------


def said(value: Any) -> str:
    """Say a value with every digit, as the log's JSON does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return printable(value)
    return json.dumps(convert_for_json(value), ensure_ascii=False).strip('"')


def number(value: Any, digits: int = 6) -> Markup:
    """Show a value shortly; the element holds every digit."""
    if value is None:
        return Markup('<span class="none">-</span>')
    if not isinstance(value, float) or not math.isfinite(value):
        return Markup("<data value='{0}'>{0}</data>").format(said(value))
    return Markup("<data value='{}'>{}</data>").format(said(value), f"{value:.{digits}g}")


# --- what is on the page -----------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """How one part of a dataset compares: its verdict, how many of its values differ, and in which arrays."""

    verdict: str
    count: int
    arrays: Sequence[str] = ()


@dataclass(frozen=True)
class ProbeView:
    """A distinct probe, who shares it, and the same of the reference."""

    names: Sequence[str]
    run: Sequence[Picture]
    reference: Sequence[Picture]
    difference: Sequence[Picture]
    remark: str


@dataclass(frozen=True)
class Row:
    """A dataset in its table."""

    name: str
    dataset: RecordedDataset
    drift: int
    problems: int


class _View:
    """Everything on the page that is computed."""

    def __init__(self, run: Recorded, reference: Recorded | None, outcome: Outcome) -> None:
        self._run = run
        self._reference = reference
        self._outcome = outcome
        self._by_dataset = _by_dataset(outcome.differences, run.datasets)
        # Where two logs are compared, it matters not which checks ran when they were made.
        not_run = [check for check in run.checks if outcome.verified and check.outcome == "not_run"]
        self._not_compared = {(check.dataset, check.subject) for check in not_run}
        self.open = len(run.datasets) <= _FEW
        errors = [problem for problem in run.problems if problem.severity == "error"]
        self.unsound = bool(errors)
        self._damaged = {_dataset_of(problem.where, run.datasets) for problem in errors}
        self.parts = _PARTS
        self.limit = _ROWS
        self.compared = outcome.reference is not None

    # --- the top

    @property
    def title(self) -> str:
        return f"{self._run.verdict.replace('_', ' ')}: {self._run.metadata.get('scenario_id')}"

    @property
    def state(self) -> str:
        """Which sign the verdict has: none that says that all is well where something could not be read."""
        well = ("recorded", "match", "within_thresholds")
        return "incomplete" if self.unsound and self._run.verdict in well else self._run.verdict

    @property
    def next_steps(self) -> list[str]:
        """What to do now, in sentences; our own words."""
        run, steps = self._run, []
        if self.unsound:
            steps.append("Something could not be read or measured: see the problems, put them right, and run again.")
        elif run.problems:
            steps.append("Look at the warnings: something was measured and looks wrong.")
        drifts = any(difference.verdict == "drift" for difference in self._outcome.differences)
        match "drift" if drifts else run.verdict:
            case "recorded":
                steps.append(
                    "Hand it over: `d0parity bundle` packs the log with the data. The other side checks them by "
                    "`d0parity verify`, and its own data by `d0parity log --reference dose_parity_log.json`."
                )
            case "match" if not self.unsound:
                steps.append("Nothing: both sides hold the same values.")
            case "within_thresholds":
                steps.append("Look at the values that moved. If their thresholds are what you agreed on, all is well.")
            case "drift":
                steps.append(
                    "Begin where the drift starts. To rule out a bad copy, run `sha256sum -c SHA256SUMS` beside the "
                    "data, with the `SHA256SUMS` of the reference. If the change is meant, accept it with "
                    "`--parity-update-reference`, and have it reviewed."
                )
            case "incomplete" if not steps:
                steps.append("Run everything that was planned: what was not looked at shows no parity.")
        return [Markup(_inline(step)) for step in steps]  # noqa: S704 - our own words

    # --- where it starts

    def matrix(self) -> Iterator[tuple[str, list[Cell | None]]]:
        """Give, for each dataset, how each part of it compares, in the order of the pipeline."""
        for name in self._run.datasets:
            yield name, [self._cell(name, part) for part in _PARTS]

    def _cell(self, name: str, part: str) -> Cell | None:
        names = ("sha256", "size_bytes") if part == "file" else (part,)
        own = self._by_dataset.get(name, ())
        differences = [d for d in own if d.where.removeprefix(f"{name}:").partition(".")[0] in names]
        values = self._run.datasets[name].values
        if not differences and not any(value.partition(".")[0] in names for value in values):
            return None
        # What could not be read here and there was not compared either.
        left_out = (name, part) in self._not_compared or (name in self._damaged and part != "file")
        cell = _cell(differences, left_out)
        if part != "arrays":
            return cell
        places = [d.where.removeprefix(f"{name}:").split(".") for d in differences if d.verdict == cell.verdict]
        return replace(cell, arrays=tuple(dict.fromkeys(printable(place[1]) for place in places if place[1:])))

    def beside(self) -> list[tuple[str, Cell]]:
        """Give how all else compares: parameters, metrics, datasets of one side, the users' own checks."""
        groups: dict[str, list[Difference]] = {"params": [], "metrics": [], "": []}
        for difference in self._by_dataset.get(None, []):
            kind = difference.where.partition(".")[0]
            groups[kind if kind in groups else ""].append(difference)
        left_out = {(subject or "").partition(".")[0] for dataset, subject in self._not_compared if dataset is None}
        shown_as = {"params": "parameters", "metrics": "metrics", "": "datasets and checks"}
        return [(shown_as[group], _cell(found, group in left_out)) for group, found in groups.items()]

    # --- charts

    def ladder(self) -> str:
        """Draw photons counted back over the labelled dose."""
        drifting = self._drifting("photons.per_pattern")
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
        counted = sum(point.counted > 0 for point in points)
        alt = f"Photons counted back over the dose in the name, for {counted} dataset{'s' * (counted != 1)}"
        alt += "; off the line or drifting: " if outliers else "; none lies off the line of equality" * (counted > 0)
        alt += "; ".join(
            f"{point.name}, labelled {point.dose:g} and counted {point.counted:.4g}" for point in outliers[:_LISTED]
        )
        if uncounted := [point.name for point in points if not point.counted]:
            alt += f"; not quantized: {_listed(uncounted)}"
        return Markup(dose_ladder(points, reference, alt))  # noqa: S704 - escaped where it is made

    def off_the_ladder(self) -> list[str]:
        """Say which datasets stand out on the ladder, or are not on it, and why."""
        sentences = []
        uncounted = []
        for name, dataset in self._run.datasets.items():
            values = dataset.values
            counted, ratio = values.get("photons.per_pattern"), values.get("photons.ratio")
            if values.get("photons.quantized") is False:
                uncounted.append(name)
            elif isinstance(counted, float) and dataset.dose is None:
                sentences.append(
                    f"{printable(name)} names no dose; {counted:.6g} photons per pattern are counted in it."
                )
            elif isinstance(counted, float) and isinstance(ratio, float) and abs(ratio - 1) > MISLABELLED:
                sentences.append(
                    f"{printable(name)} stands out: its name says {dataset.dose_text}, and {counted:.6g} photons per "
                    f"pattern are counted in it ({ratio:.4g} times as many)."
                )
        total = len(self._run.datasets)
        left = [name for name, dataset in self._run.datasets.items() if "photons.quantized" not in dataset.values]
        if left:
            sentences.append(f"No photons were counted ({len(left)} of {total}): {_listed(left)}.")
        if uncounted:
            sentences.append(
                f"Not quantized, so that no photons can be counted ({len(uncounted)} of {total}): {_listed(uncounted)}."
                " A measured or processed set is like that; a simulated one should not be."
            )
        return sentences

    def stages(self) -> Iterator[tuple[str, list[str]]]:
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
            yield (
                stage,
                [
                    Markup(self._chart(stage, title, keys, ends))  # noqa: S704 - escaped where it is made
                    for title, keys in _STATISTICS.items()
                ],
            )

    def _chart(self, stage: str, title: str, keys: Sequence[str], ends: tuple[float, float]) -> str:
        curves = [self._curve(_CALLED.get(key, key), f"{stage}.{key}") for key in keys]
        runs = [value for curve in curves for _, value in curve.run]
        alt = f"{title} of {stage} over the dose"
        if runs:
            alt += f", from {min(runs):.4g} to {max(runs):.4g}"
        left_out = [name for name in self._run.datasets if (name, stage) in self._not_compared]
        if left_out:
            alt += f"; not compared in {len(left_out)} datasets"
        elif self.compared:
            drifting = dict.fromkeys(name for key in keys for name in self._drifting(f"{stage}.{key}"))
            alt += f"; drifts in {', '.join(map(printable, drifting))}" if drifting else "; no drift"
        return over_dose(f"{stage}-{keys[0]}", title, curves, ends, alt)

    def _curve(self, label: str, value: str) -> Curve:
        ours = self._run.datasets
        theirs = self._reference.datasets if self._reference else {}
        return Curve(label, _places(ours, value), _places(theirs, value), _places(self._drifting(value), value))

    def _drifting(self, value: str) -> dict[str, RecordedDataset]:
        """Give the datasets in which a value drifts."""
        return {
            name: dataset
            for name, dataset in self._run.datasets.items()
            if any(d.verdict == "drift" and d.where == f"{name}:{value}" for d in self._by_dataset.get(name, ()))
        }

    def histograms(self) -> Iterator[tuple[str, Bars | None]]:
        """Draw the distribution of ``diff3d`` of each dataset, the reference's as outline."""
        for name, dataset in self._run.datasets.items():
            other = self._reference.datasets.get(name) if self._reference else None
            raw = dataset.histograms.raw
            yield name, draw_bars(raw, other.histograms.raw if other else None, _count(dataset)) if raw else None

    # --- probes

    def probes(self) -> list[ProbeView]:
        """Show each distinct probe, with the reference's and what differs."""
        shared: dict[tuple[str | None, str | None], list[str]] = {}
        for name, dataset in self._run.datasets.items():
            other = self._reference.datasets.get(name) if self._reference else None
            if "probe.l2_norm" in dataset.values:
                shared.setdefault((dataset.probe, other.probe if other else None), []).append(name)
        side = picture_side(sum(2 if theirs in (None, ours) else 6 for ours, theirs in shared))
        return [self._probe(names, *pair, side) for pair, names in shared.items()]

    def _probe(self, names: Sequence[str], ours: str | None, theirs: str | None, side: int) -> ProbeView:
        probe = self._run.probes.arrays.get(ours or "")
        if probe is None or (run := to_plane(probe)) is None:
            return ProbeView(names, (), (), (), _no_picture("it", self._run, probe))
        plane, remark = run
        pictures = probe_pictures(plane, side)
        if self._reference is None:
            return ProbeView(names, pictures, (), (), remark)
        if ours == theirs:
            same = "The reference's has the same CRC-32 and length."
            return ProbeView(names, pictures, (), (), f"{remark} {same}".strip())
        trusted = self._reference.probes.arrays.get(theirs or "")
        if trusted is None or (other := to_plane(trusted)) is None:
            why = _no_picture("the reference's", self._reference, trusted)
            return ProbeView(names, pictures, (), (), f"{remark} {why}".strip())
        before, its = other
        remark = f"{remark} {f'Of the reference: {its}' if its else ''}".strip()
        if trusted.shape != probe.shape:
            shapes = f"{'x'.join(map(str, trusted.shape))}, and {'x'.join(map(str, probe.shape))} here"
            remark = f"{remark} The reference's has another shape: {shapes}.".strip()
            return ProbeView(names, pictures, probe_pictures(before, side), (), remark)
        if probe.ndim > 2 and not np.array_equal(probe, trusted, equal_nan=True) and np.array_equal(plane, before):
            remark += " It differs from the reference's in modes that are not shown."
        top = max(float(np.abs(plane).max()), float(np.abs(before).max()))
        return ProbeView(
            names,
            probe_pictures(plane, side, top),
            probe_pictures(before, side, top),
            difference_pictures(plane, before, side),
            remark,
        )

    scales = staticmethod(scales)

    # --- tables

    def scans(self) -> Iterator[tuple[str, Any, Any]]:
        """Give name, scan, and the reference's mean of it, for the datasets that have several."""
        for name, dataset in self._run.datasets.items():
            other = self._reference.datasets.get(name) if self._reference else None
            means = {scan.scan_index: scan.mean for scan in (other.scans if other else ())}
            if len(dataset.scans) >= _SCANS:
                for scan in dataset.scans:
                    yield name, scan, means.get(scan.scan_index)

    def many_scans(self) -> list[str]:
        """Name the datasets whose scans are too many to be listed."""
        return [
            printable(name)
            for name, dataset in self._run.datasets.items()
            if not dataset.scans and _more(dataset.values.get("grouped.n_unique_scans"), 1)
        ]

    def rows(self) -> Iterator[Row]:
        """Give the rows of the table of datasets."""
        problems = Counter(_dataset_of(problem.where, self._run.datasets) for problem in self._run.problems)
        for name, dataset in self._run.datasets.items():
            drift = sum(d.verdict == "drift" for d in self._by_dataset.get(name, []))
            yield Row(name, dataset, drift, problems[name])

    def baseline(self, part: str) -> list[tuple[str, Scalar, Scalar, str]]:
        """Give name, value, the reference's value and verdict of the parameters (``params``) or ``metrics``."""
        values = self._run.values.whole
        others = self._reference.values.whole if self._reference else {}
        verdicts = {d.where: d.verdict for d in self._by_dataset.get(None, [])}
        names = [name for name in dict.fromkeys([*values, *others]) if name.startswith(f"{part}.")]
        return [(n, values.get(n), others.get(n), verdicts.get(n, self._verdict_without_difference(n))) for n in names]

    def _verdict_without_difference(self, name: str) -> str:
        if not self.compared:
            return ""
        part, _, rest = name.partition(".")
        of_its_own = name if part == "params" else f"{part}.{rest.partition('.')[0]}"
        subject = of_its_own if any(check.subject == of_its_own for check in self._run.checks) else part
        return "not_compared" if (None, subject) in self._not_compared else "same"

    def failed_checks(self) -> list[tuple[str, str]]:
        """Give outcome and id of the checks that did not pass."""
        return [(check.outcome.replace("_", " "), check.id) for check in self._run.checks if check.outcome != "passed"]


def _no_picture(whose: str, log: Recorded, probe: NDArray[Any] | None) -> str:
    why = "It is empty." if probe is not None else log.probes.remark or _NOT_KEPT
    return f"There is no picture of {whose}. {why}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:_LISTED])) + (" …" if len(names) > _LISTED else "")


def _more(value: Scalar, than: int) -> bool:
    return isinstance(value, int) and value > than


def _by_dataset(differences: Sequence[Difference], names: Mapping[str, object]) -> dict[str | None, list[Difference]]:
    found: dict[str | None, list[Difference]] = {}
    for difference in differences:
        found.setdefault(_dataset_of(difference.where, names), []).append(difference)
    return found


def _dataset_of(where: str, names: Mapping[str, object]) -> str | None:
    """Give the dataset that a difference or a problem is about."""
    return where if where in names else dataset_at(where, names)


def _cell(differences: Sequence[Difference], left_out: bool) -> Cell:
    verdicts = [d.verdict for d in differences] + ["not_compared"] * left_out
    verdict = min(verdicts, key=_WORST.index, default="same")
    return Cell(verdict, verdicts.count(verdict))


def _point(name: str, dataset: RecordedDataset) -> Point | None:
    counted, ratio = dataset.values.get("photons.per_pattern"), dataset.values.get("photons.ratio")
    if not dataset.dose or not _is_charted(dataset.dose):
        return None
    if dataset.values.get("photons.quantized") is False:
        return Point(printable(name), dataset.dose, 0.0)
    if not isinstance(counted, float) or counted <= 0 or not _is_charted(counted):
        return None
    wrong = isinstance(ratio, float) and abs(ratio - 1) > MISLABELLED
    return Point(printable(name), dataset.dose, counted, wrong)


def _places(datasets: Mapping[str, RecordedDataset], name: str) -> list[tuple[float, float]]:
    places = ((dataset.dose, dataset.values.get(name)) for dataset in datasets.values())
    return [
        (dose, float(value))
        for dose, value in places
        if _is_charted(dose) and _is_charted(value) and isinstance(dose, float) and isinstance(value, int | float)
    ]


def _count(dataset: RecordedDataset) -> int | None:
    count = dataset.values.get("raw.count")
    return count if isinstance(count, int) else None


def _is_charted(value: Scalar) -> bool:
    """Whether a chart can hold a value: beyond these lie errors, which no axis should have to reach."""
    return isinstance(value, int | float) and (value == 0 or 1e-100 <= abs(value) <= 1e100)
