"""The ledger of a session: which checks were planned, what was received of each, and the log that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from ..capture.job import CaptureJob
from ..capture.run import assemble
from ..compare.comparator import Comparator
from ..compare.difference import Comparison
from ..compare.values import Values, values_of
from ..evidence.model import Check, EvidenceLog
from ..util.text import valid_utf8
from .run_store import RunData, RunStore
from .session import PlannedCheck, recorded_limits, recorded_values

Outcome = Literal["passed", "failed", "error", "skipped"]


@dataclass
class _Received:
    """What the reports of one test have told so far."""

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
    """Keeps account of the checks of a session.

    Parameters
    ----------
    job : CaptureJob
        Its reference is None where nothing is to be compared.
    store : RunStore
        Which also holds the plan, once the tests are collected.
    folder : str
        The one that the user stands in.
    """

    def __init__(self, job: CaptureJob, store: RunStore, folder: str) -> None:
        self._scenario = job.scenario
        self._comparator = job.comparator
        self._store = store
        self._folder = folder
        self._data = RunData(job, store)
        self._received: dict[str, _Received] = {}

    def receive(self, report: pytest.TestReport) -> None:
        """Enter a report; a test that is set up again, as after a failure, starts anew."""
        if report.when == "setup":
            self._received[report.nodeid] = _Received()
        self._received.setdefault(report.nodeid, _Received()).add(report)

    def plan(self) -> list[PlannedCheck]:
        """Give the planned checks, the built-in ones first; none before the tests are collected."""
        plan: list[PlannedCheck] = self._store.get("plan") or []
        return sorted(plan, key=lambda check: check.spec is None)

    def outcome(self, check: PlannedCheck) -> Outcome | Literal["not_run"]:
        """Give the outcome of a check."""
        received = self._received.get(check.id)
        return (received and received.outcome) or "not_run"

    def never_reported(self) -> list[str]:
        """Give the ids of the checks that should have run and did not."""
        return [check.id for check in self.plan() if check.selected and self.outcome(check) == "not_run"]

    def not_passed(self) -> list[str]:
        """Give the ids of the checks that should have passed and did not."""
        fine = ("passed", "skipped")
        return [check.id for check in self.plan() if check.selected and self.outcome(check) not in fine]

    def log(self) -> EvidenceLog:
        """Make the log of what is known by now."""
        data = self._data
        log = assemble(self._scenario, data.run, data.selection, data.captured, self._folder)
        checks = self._checks()
        entries = tuple(map(self._entry, checks))
        complete = bool(checks) and all(entry.outcome != "not_run" for entry in entries) and log.verdict == "recorded"
        log = replace(log, checks=entries, verdict="recorded" if complete else "incomplete")
        if self._comparator is None:
            return log
        everything = values_of(log) if complete else None
        comparison = Comparison.of(self._comparisons(checks, self._comparator, everything))
        ran = {entry.id for entry in entries if entry.outcome not in ("not_run", "skipped") or entry.values}
        return replace(
            log,
            reference=self._comparator.record_beside(ran),
            drift=comparison.differences,
            verdict=comparison.verdict if complete else "incomplete",
            problems=log.problems + (self._comparator.unused_thresholds(everything) if everything else ()),
        )

    def accepted(self, log: EvidenceLog) -> EvidenceLog:
        """Leave out of a log what was not checked; a dataset is accepted as a whole or not at all."""
        built_in = [(check, self.outcome(check) != "not_run") for check in self.plan() if check.spec]
        partial = {check.dataset for check, ran in built_in if not ran}
        names = {
            name
            for check, ran in built_in
            if ran and check.spec and not check.dataset
            for name in check.spec.values(self._data)
        }
        datasets = tuple(dataset for dataset in log.datasets if dataset.filename not in partial)
        return replace(
            log,
            datasets=datasets,
            total_datasets=len(datasets),
            baseline_params={key: value for key, value in log.baseline_params.items() if f"params.{key}" in names},
            metrics={key: pair for key, pair in log.metrics.items() if f"metrics.{key}.train" in names},
        )

    def _checks(self) -> list[PlannedCheck]:
        """Give the planned ones, and the tests that turn out to be checks: by a value, or by the reference."""
        plan = self.plan()
        planned = {check.id for check in plan}
        known = self._comparator.values.checks if self._comparator else {}
        others = [
            PlannedCheck(name, None, None, selected=True)
            for name, received in sorted(self._received.items())
            if name not in planned and (name in known or recorded_values(received.properties, None).values)
        ]
        return plan + others

    def _entry(self, check: PlannedCheck) -> Check:
        received = self._received.get(check.id, _Received())
        recorded = recorded_values(received.properties, check.dataset)
        return Check(
            id=valid_utf8(check.id),
            dataset=None if check.dataset is None else valid_utf8(check.dataset),
            outcome=self.outcome(check),
            values=dict(recorded.values),
            limits=recorded_limits(received.properties),
        )

    def _comparisons(
        self, checks: Sequence[PlannedCheck], comparator: Comparator, everything: Values | None
    ) -> Iterator[Comparison]:
        """Compare everything, whatever checks there are, where nothing was left out; otherwise what was looked at."""
        if everything is not None:
            yield comparator.compare(replace(everything, checks={}))
        measured = set(self._data.captured)
        for check in checks:
            outcome = self.outcome(check)
            if outcome == "not_run":
                continue
            if check.spec is None:
                values = recorded_values(self._received[check.id].properties, check.dataset)
                if values.values or (outcome != "skipped" and check.id in comparator.values.checks):
                    yield comparator.compare_check(check.id, values)
            elif everything is None and (check.dataset is None or check.dataset in measured):
                yield check.spec.compare(self._data, comparator)
