"""The results of a session's checks, and the log that is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from ..capture.job import CaptureResult
from ..capture.run import both_frames, build_log, pictures_of
from ..comparison.comparator import Comparator
from ..comparison.compare_log import comparator_beside, explain, explain_checked
from ..comparison.difference import Comparison
from ..comparison.values import Values, values_of
from ..evidence.dataset import Problem
from ..evidence.drift import Finding
from ..evidence.encoding import convert_for_json
from ..evidence.model import Check, EvidenceLog
from ..statistics.frames.frame_pictures import FramePictures
from ..util.provenance import GitQuery
from ..util.text import listed, printable, valid_utf8
from .collection import PlannedCheck
from .recording import recorded_limits, recorded_values
from .run_store import RunData, RunStore
from .session import id_of_report, seen_by

Outcome = Literal["passed", "failed", "error", "skipped"]


_MAX_NAMES = 5
_WORST_FIRST: tuple[Outcome | None, ...] = ("failed", "error", "skipped", "passed", None)


@dataclass
class _Run:
    """Outcome and recorded values of one run of a test, from the reports of setup, call and teardown so far."""

    process: object = None
    outcome: Outcome | None = None
    properties: Sequence[tuple[str, object]] = ()

    def add(self, report: pytest.TestReport) -> None:
        self.properties = report.user_properties or self.properties
        if report.failed:
            if self.outcome != "failed":
                self.outcome = "failed" if report.when == "call" else "error"
        elif report.skipped:
            self.outcome = self.outcome or "skipped"
        elif report.passed and report.when == "call":  # subtests may have failed before
            self.outcome = self.outcome or "passed"


class CheckResults:
    """Collects the results of a session's checks.

    Parameters
    ----------
    data : RunData
        Its job has no comparator if there is nothing to compare with.
    store : RunStore
        Holds the plan once the tests are collected.
    git : GitQuery
        Knows the commit that is recorded.
    """

    def __init__(self, data: RunData, store: RunStore, git: GitQuery) -> None:
        self._data = data
        self._comparator = data.job.comparator
        self._store = store
        self._git = git
        self._runs: dict[str, list[_Run]] = {}  # by the ids of the tests
        self._seen: set[str] = set()  # the datasets that a test has looked at

    def add_report(self, report: pytest.TestReport) -> None:
        """Add a report. A test may run more than once; what is announced to be run again does not count."""
        name = id_of_report(report) or self._renamed().get(report.nodeid, report.nodeid)
        runs = self._runs.setdefault(name, [])
        process = getattr(report, "node", None)  # the worker of pytest-xdist: several may run the same test at once
        run = next((run for run in reversed(runs) if run.process is process), None)
        if seen := seen_by(report):
            self._seen.add(seen)
        outcome: str = report.outcome
        if outcome == "rerun":  # says pytest-rerunfailures
            self._runs[name] = [other for other in runs if other is not run]
            return
        if run is None or report.when == "setup":
            run = _Run(process)
            runs.append(run)
        run.add(report)

    @property
    def _captured(self) -> dict[str, CaptureResult]:
        """The datasets that were measured, and that a test has looked at: what others skip shows nothing."""
        return {name: result for name, result in self._data.captured.items() if name in self._seen}

    @property
    def pictures(self) -> dict[str, FramePictures]:
        """What a page shows of the frames of these datasets."""
        return pictures_of(self._captured)

    def _renamed(self) -> dict[str, str]:
        """Return the ids of the checks whose node id was changed after they were collected, by the new one."""
        return {check.nodeid: check.id for check in self.plan() if check.nodeid != check.id}

    def _run(self, name: str) -> _Run:
        """Return the run of a test that counts: the worst, and the first of those."""
        runs = self._runs.get(name, [])
        return min(runs, key=lambda run: _WORST_FIRST.index(run.outcome), default=_Run())

    def plan(self) -> list[PlannedCheck]:
        """Return the planned checks, the built-in ones first; none before the tests are collected."""
        plan: list[PlannedCheck] = self._store.get("plan") or []
        return sorted(plan, key=lambda check: check.spec is None)

    def outcome(self, check: PlannedCheck) -> Outcome | Literal["not_run"]:
        """Return the outcome of a check."""
        return self._run(check.id).outcome or "not_run"

    def never_reported(self) -> list[str]:
        """Return the ids of the selected checks that have no outcome."""
        return [check.id for check in self.plan() if check.selected and self.outcome(check) == "not_run"]

    def not_passed(self) -> list[str]:
        """Return the ids of the selected checks that neither passed nor were skipped."""
        fine = ("passed", "skipped")
        return [check.id for check in self.plan() if check.selected and self.outcome(check) not in fine]

    def disagreeing(self) -> dict[str, str]:
        """Return which checks recorded other values when they ran again, by their ids: which values, in words."""
        return {name: said for name in sorted(self._runs) if (said := _disagreement(self._runs[name]))}

    def taken_away(self) -> dict[str, list[str]]:
        """Return the ids of the checks that others than the user took away, by who did."""
        found: dict[str, list[str]] = {}
        for check in self.plan():
            if check.taken_by:
                found.setdefault(check.taken_by, []).append(check.id)
        return found

    def log(self) -> EvidenceLog:
        """Make the log of the results so far."""
        data = self._data
        log = build_log(data.job.scenario, data.baseline_run, data.selection, self._captured, self._git)
        checks = self._planned_and_recording()
        entries = tuple(map(self._log_entry, checks))
        complete = bool(checks) and all(entry.outcome != "not_run" for entry in entries) and log.verdict == "recorded"
        told = tuple(
            Problem(severity="warning", where=valid_utf8(name), message=said)
            for name, said in self.disagreeing().items()
        )
        log = replace(
            log,
            checks=entries,
            verdict="recorded" if complete else "incomplete",
            problems=tuple(map(self._as_asked, log.problems)) + told,
        )
        if self._comparator is None:
            return log
        comparator = comparator_beside(log, self._comparator)
        observed = values_of(log)
        everything = observed if complete else None
        comparison = Comparison.of(self._comparisons(checks, comparator, everything))
        frames = both_frames(data.job.scenario, log, self.pictures)
        findings = (
            explain(comparator, observed, comparison, frames)
            if complete
            else explain_checked(comparator, observed, comparison, self._checked(checks), frames)
        )
        ran = {entry.id for entry in entries if entry.outcome not in ("not_run", "skipped") or entry.values}
        return replace(
            log,
            reference=comparator.record_beside(ran, comparison),
            drift=comparison.differences,
            findings=tuple(map(self._cut_short, findings)),
            verdict=comparison.verdict if complete else "incomplete",
            problems=log.problems + (comparator.problems(everything, comparison) if everything else ()),
        )

    def _as_asked(self, problem: Problem) -> Problem:
        """Make no error of datasets of which the user left all checks out."""
        if (problem.name, problem.where) != ("unmeasured", "datasets"):
            return problem
        asked = {check.dataset for check in self.plan() if check.selected}
        captured = self._captured
        left = [name for name in self._data.selection.filenames if name not in captured]
        if not asked.isdisjoint(left):
            return problem
        message = f"you left these out: {listed(left, _MAX_NAMES)}; without -k, -m, ids or the like they are checked"
        return replace(problem, severity="warning", message=message)

    def _cut_short(self, finding: Finding) -> Finding:
        """Say so where a session ended before it came to what would say more of a file."""
        waiting = {check.dataset for check in self.plan() if check.selected and self.outcome(check) == "not_run"}
        if finding.proof != "bytes" or waiting.isdisjoint(finding.datasets):
            return finding
        return replace(finding, sentence="the bytes of the file differ, and the session ended before more was compared")

    def without_unchecked(self, log: EvidenceLog) -> EvidenceLog:
        """Remove the values from a log that no check looked at, and the datasets of which a check has not run."""
        built_in = [(check, self.outcome(check) != "not_run") for check in self.plan() if check.spec]
        partial = {check.dataset for check, ran in built_in if not ran}
        names = {
            name
            for check, ran in built_in
            if ran and check.spec and not check.dataset
            for name in check.spec.values(self._data)
        }
        datasets = tuple(dataset for dataset in log.datasets if dataset.filename not in partial)
        flags = {check.spec.part: ran for check, ran in built_in if check.spec and check.spec.kind == "flag"}
        others = any(ran for check, ran in built_in if check.spec and check.spec.kind == "params")
        return replace(
            log,
            datasets=datasets,
            total_datasets=len(datasets),
            params={
                key: value
                for key, value in log.params.items()
                if not names.isdisjoint((f"params.{key}", f"params.{key}.shape", f"params.{key}.class"))
            },
            baseline_params={key: value for key, value in log.baseline_params.items() if flags.get(key, others)},
            metrics={key: pair for key, pair in log.metrics.items() if f"metrics.{key}.train" in names},
            attachments=tuple(each for each in log.attachments if f"attachments.{each.name}.sha256" in names),
        )

    def _planned_and_recording(self) -> list[PlannedCheck]:
        """Return the planned checks, and other tests that recorded a value or are checks of the reference."""
        plan = self.plan()
        planned = {check.id for check in plan}
        expected = self._comparator.values.checks if self._comparator else {}
        others = [
            PlannedCheck(name, None, None, selected=True)
            for name in sorted(self._runs)
            if name not in planned and (name in expected or recorded_values(self._run(name).properties, None).values)
        ]
        return plan + others

    def _log_entry(self, check: PlannedCheck) -> Check:
        run = self._run(check.id)
        recorded = recorded_values(run.properties, check.dataset)
        return Check(
            id=valid_utf8(check.id),
            dataset=recorded.dataset,
            outcome=self.outcome(check),
            values=dict(recorded.values),
            limits=recorded_limits(run.properties),
        )

    def _checked(self, checks: Sequence[PlannedCheck]) -> dict[str, list[str]]:
        """Return for each dataset the names of the values of the checks that ran."""
        names: dict[str, list[str]] = {}
        captured = self._captured
        for check in checks:
            if check.spec is not None and check.dataset in captured and self.outcome(check) != "not_run":
                names.setdefault(valid_utf8(check.dataset), []).extend(check.spec.names)
        return names

    def _comparisons(
        self, checks: Sequence[PlannedCheck], comparator: Comparator, everything: Values | None
    ) -> Iterator[Comparison]:
        """Compare all values of a complete log, or else those of the checks that ran.

        Parameters
        ----------
        checks : sequence of PlannedCheck
            The checks of the log.
        comparator : Comparator
            The reference.
        everything : Values or None
            The values of the log, if it is complete.
        """
        if everything is not None:
            yield comparator.compare(replace(everything, checks={}))
        measured = set(self._captured)
        for check in checks:
            outcome = self.outcome(check)
            if outcome == "not_run":
                continue
            if check.spec is None:
                values = recorded_values(self._run(check.id).properties, check.dataset)
                if values.values or (outcome != "skipped" and check.id in comparator.values.checks):
                    yield comparator.compare_check(check.id, values)
            elif everything is None and (check.dataset is None or check.dataset in measured):
                yield check.spec.compare(self._data, comparator)


def _disagreement(runs: Sequence[_Run]) -> str:
    """Say which values a test recorded differently when it ran again; empty if there are none."""
    if len(runs) < 2:
        return ""
    seen: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, value in recorded_values(run.properties, None).values.items():
            seen.setdefault(name, {})[repr(convert_for_json(value))] = None
    differ = [f"{name} ({', '.join(values)})" for name, values in seen.items() if len(values) > 1]
    if not differ:
        return ""
    return f"it ran {len(runs)} times and recorded different values: {printable(listed(differ, _MAX_NAMES))}"
