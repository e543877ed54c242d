"""The parity side of a pytest session, in the process that the user started: it plans, receives and concludes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytest

from .capture import assemble, yardstick_of
from .drift import Comparison, Yardstick
from .evidence import Check, EvidenceLog, LogError, convert_for_json
from .options import OPTIONS
from .project import ProjectError, find_project
from .reference import ReferenceUpdate, update_reference
from .reports import (
    HistoryError,
    ReportError,
    append_to_history,
    append_to_step_summary,
    difference_table,
    outcome_of,
    prepare_folder,
    write_reports,
)
from .scenario import Scenario, ScenarioError, default_output, make_scenario
from .session import PARITY, ParitySession, PlannedCheck, not_found, recorded_values
from .store import Evidence, Store
from .text import printable, valid_utf8
from .values import values_of

__all__ = ["Conductor", "begin"]

_FOLDER = "d0parity_folder"  # where the workers find the store of the run
_SHOWN = 5
_ACCEPTABLE = ("passed", "skipped")


def begin(config: pytest.Config) -> None:
    """Begin a parity session: in the process that the user started, or in a worker of it.

    Raises
    ------
    UsageError
        If the options, the project's tables or the reference cannot be followed.
    """
    invocation = str(config.invocation_params.dir)
    options = {name: config.getoption(f"parity_{name}") for name in OPTIONS}
    update = bool(config.getoption("parity_update_reference"))
    try:
        project = find_project(str(config.rootpath))
        scenario = make_scenario(project, config.getoption("parity_scenario"), options, invocation)
        if update:
            _check_update(scenario, options)
        yardstick = None if update else yardstick_of(scenario)
    except (ProjectError, ScenarioError, LogError) as error:
        raise pytest.UsageError(str(error)) from None
    if hasattr(config, "workerinput"):
        store = Store(Path(config.workerinput[_FOLDER]))
    else:
        folder = Path(tempfile.mkdtemp(prefix="d0parity-"))
        store = Store(folder)
        given = options["output"]
        output = os.path.join(invocation, given) if given else default_output(project, invocation)
        conductor = Conductor(config, scenario, yardstick, store, folder, output, update)
        config.pluginmanager.register(conductor, "d0parity-conductor")
    session = ParitySession(config, scenario, yardstick, store)
    config.stash[PARITY] = session
    config.pluginmanager.register(session, "d0parity-session")


def _check_update(scenario: Scenario, options: dict[str, Any]) -> None:
    if scenario.reference_path is None:
        raise ScenarioError(
            "which reference is to be updated? Name it by --parity-reference LOG or in the project's table"
        )
    if options["threshold"]:
        raise ScenarioError(
            "--parity-update-reference accepts the observed values instead of comparing them, so it cannot be combined "
            "with --parity-threshold"
        )
    if os.path.lexists(scenario.reference_path):
        yardstick_of(scenario)  # what cannot be read is told now, and not after hours of measuring


@dataclass
class _Received:
    """What the reports of one test have told so far."""

    outcome: Literal["passed", "failed", "error", "skipped"] | None = None
    properties: Sequence[tuple[str, object]] = ()

    def add(self, report: pytest.TestReport) -> None:
        self.properties = report.user_properties or self.properties
        if report.failed:
            if self.outcome != "failed":
                self.outcome = "failed" if report.when == "call" else "error"
        elif report.skipped:
            self.outcome = self.outcome or "skipped"
        elif report.when == "call":
            self.outcome = "passed"


class Conductor:
    """Receives the reports, and makes the log of them.

    Parameters
    ----------
    config : pytest.Config
    scenario : Scenario
    yardstick : Yardstick or None
        The reference, unless nothing is to be compared.
    store : Store
    folder : path
        Of the store; removed at the end.
    output : str
        Where the artifacts go.
    update : bool
        Whether the observed values become the reference.
    """

    def __init__(
        self,
        config: pytest.Config,
        scenario: Scenario,
        yardstick: Yardstick | None,
        store: Store,
        folder: Path,
        output: str,
        update: bool,
    ) -> None:
        self._config = config
        self._scenario = scenario
        self._yardstick = yardstick
        self._store = store
        self._folder = folder
        self._output = output
        self._update = update
        self._evidence = Evidence(scenario, yardstick, store)
        self._received: dict[str, _Received] = {}
        self._log: EvidenceLog | None = None
        self._changes: ReferenceUpdate | None = None
        self._errors: list[str] = []

    # --- the session

    def pytest_report_header(self) -> str:
        """Say what will be checked."""
        scenario = self._scenario
        reference = f", reference {printable(scenario.reference)}" if self._yardstick and scenario.reference else ""
        root = printable(scenario.dataset_root)
        return f"d0parity: scenario {printable(scenario.scenario_id)}, dataset root {root}{reference}"

    def pytest_sessionstart(self) -> None:
        """Make the folder for the artifacts, so that hours of reading do not end at a closed door."""
        if not self._config.option.collectonly:
            try:
                prepare_folder(self._output)
            except ReportError as error:
                raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where the store is."""
        node.workerinput[_FOLDER] = str(self._folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Receive a report; one that is run again starts anew."""
        if str(report.outcome) == "rerun":
            self._received.pop(report.nodeid, None)
        else:
            self._received.setdefault(report.nodeid, _Received()).add(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Conclude before anybody else reports on the session."""
        self._conclude(session)
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Remove the store."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the conclusion

    def _conclude(self, session: pytest.Session) -> None:
        if self._config.option.collectonly or session.exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        unknown = self._store.get("unknown")
        if unknown:  # only workers have looked for them
            self._errors.append(not_found(unknown))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._log = self._make_log()
            self._write(self._log)
            if self._update:
                self._update_reference(self._log)
            never = [check.id for check in self._plan if check.selected and self._outcome(check) == "not_run"]
            if never:
                self._errors.append(f"parity is not shown, for {_listed(never)} planned and never reported")
            elif self._log.verdict == "incomplete" and all(check.selected for check in self._plan):
                self._errors.append("parity is not shown, for not everything was looked at")
            failed = self._errors or self._log.verdict == "drift"
            if failed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._tell_without_summary()

    @cached_property
    def _plan(self) -> list[PlannedCheck]:
        plan: list[PlannedCheck] = self._store.get("plan") or []
        return sorted(plan, key=lambda check: check.subject is None)

    def _outcome(self, check: PlannedCheck) -> Literal["passed", "failed", "error", "skipped", "not_run"]:
        received = self._received.get(check.id)
        return (received and received.outcome) or "not_run"

    def _make_log(self) -> EvidenceLog:
        log = assemble(self._scenario, self._evidence.run, self._evidence.choice, self._evidence.measured)
        checks = tuple(self._checks())
        complete = bool(checks) and all(check.outcome != "not_run" for check in checks) and log.verdict == "recorded"
        log = replace(log, checks=checks, verdict="recorded" if complete else "incomplete")
        if self._yardstick is None:
            return log
        comparison = Comparison.of(self._comparisons(self._yardstick))
        return replace(
            log,
            reference=self._yardstick.record,
            drift=comparison.differences,
            verdict=comparison.verdict if complete else "incomplete",
            problems=log.problems + (self._yardstick.unused_thresholds(values_of(log)) if complete else ()),
        )

    def _checks(self) -> Iterator[Check]:
        for check in self._all_checks():
            received = self._received.get(check.id, _Received())
            values = recorded_values(received.properties, check.dataset).values
            yield Check(
                id=valid_utf8(check.id),
                dataset=None if check.dataset is None else valid_utf8(check.dataset),
                outcome=self._outcome(check),
                values=dict(values),
            )

    def _all_checks(self) -> list[PlannedCheck]:
        """Give the planned ones, and the tests that turned out to record values."""
        planned = {check.id for check in self._plan}
        others = [
            PlannedCheck(name, None, None, selected=True)
            for name, received in sorted(self._received.items())
            if name not in planned and recorded_values(received.properties, None).values
        ]
        return self._plan + others

    def _comparisons(self, yardstick: Yardstick) -> Iterator[Comparison]:
        measured = {dataset.filename for dataset in self._evidence.measured}
        for check in self._all_checks():
            outcome = self._outcome(check)
            if outcome == "not_run":
                continue
            if check.subject is None:
                values = recorded_values(self._received[check.id].properties, check.dataset)
                if outcome != "skipped" and (values.values or check.id in yardstick.values.checks):
                    yield yardstick.compare_check(check.id, values)
            elif check.dataset is None or check.dataset in measured:
                yield check.subject.compare(self._evidence, yardstick)

    def _write(self, log: EvidenceLog) -> None:
        history = self._config.getoption("parity_history")
        self._attempt(lambda: write_reports(log, self._output))
        self._attempt(lambda: append_to_step_summary(log))
        if history is not None:
            path = os.path.join(str(self._config.invocation_params.dir), history)
            self._attempt(lambda: append_to_history(path, log, self._shown_output))

    def _attempt(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (ReportError, HistoryError, LogError) as error:
            self._errors.append(str(error))

    def _update_reference(self, log: EvidenceLog) -> None:
        path, called = self._scenario.reference_path, self._scenario.reference
        assert path is not None  # noqa: S101 - begin() has seen to it
        assert called is not None  # noqa: S101
        bad = [check.id for check in self._plan if check.selected and self._outcome(check) not in _ACCEPTABLE]
        accepted = self._accepted(log)
        if bad:
            self._errors.append(f"reference {printable(called)} is left as it was, for {_listed(bad)} not passed")
        elif not accepted.datasets and not accepted.baseline_params and not accepted.metrics:
            self._errors.append(f"reference {printable(called)} is left as it was, for nothing was checked as a whole")
        else:

            def update() -> None:
                self._changes = update_reference(path, called, accepted)

            self._attempt(update)

    def _accepted(self, log: EvidenceLog) -> EvidenceLog:
        """Leave out what was not checked; a dataset is accepted as a whole or not at all."""
        ran = [check for check in self._plan if self._outcome(check) != "not_run"]
        partial = {check.dataset for check in self._plan if check.subject and self._outcome(check) == "not_run"}
        names = {
            name
            for check in ran
            if check.subject and not check.dataset
            for name in check.subject.values(self._evidence)
        }
        datasets = tuple(dataset for dataset in log.datasets if dataset.filename not in partial)
        return replace(
            log,
            datasets=datasets,
            total_datasets=len(datasets),
            baseline_params={key: value for key, value in log.baseline_params.items() if f"params.{key}" in names},
            metrics={key: pair for key, pair in log.metrics.items() if f"metrics.{key}.train" in names},
        )

    # --- telling

    @property
    def _shown_output(self) -> str:
        """The output folder, from where the user stands."""
        given: str | None = self._config.getoption("parity_output")
        return given or os.path.relpath(self._output, self._config.invocation_params.dir)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the verdict, what drifted, and where the artifacts are."""
        if self._log is None and not self._errors:
            return
        bad = bool(self._errors) or (self._log is not None and self._log.verdict in ("drift", "incomplete"))
        title = f"d0parity: {printable(self._scenario.scenario_id)}"
        terminalreporter.write_sep("=", title, red=bad, green=not bad, bold=True)
        for error in self._errors:
            terminalreporter.write_line(f"ERROR: {error}", red=True)
        for line in self._summary():
            terminalreporter.write_line(line)

    def _summary(self) -> Iterator[str]:
        log = self._log
        if log is None:
            return
        outcome = outcome_of(log)
        yield f"{log.verdict}: {outcome.sentence}"
        counts = Counter(check.outcome for check in log.checks)
        tally = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        yield f"{len(log.checks)} checks, {log.total_datasets} datasets: {tally or 'none'}"
        yield from filter(None, [outcome.text()])
        for problem in log.all_problems:
            yield f"{problem.severity}: {printable(problem.where)}: {printable(problem.message)}"
        if self._changes is not None:
            yield from _told(self._changes)
        yield f"Read {printable(os.path.join(self._shown_output, 'dose_parity_log.md'))}; every digit is in the .json."

    def _tell_without_summary(self) -> None:
        """Make errors seen where the user wants no summary, or no terminal plugin at all."""
        silent = self._config.getoption("no_summary", False) or not self._config.pluginmanager.hasplugin("terminal")
        if silent:
            for error in self._errors:
                sys.stderr.write(f"d0parity: ERROR: {error}\n")

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_modifyreport(self, json_report: dict[str, Any]) -> None:
        """Put the outcome into the report of pytest-json-report."""
        if self._log is not None:
            outcome = outcome_of(self._log)
            content = {
                "scenario_id": self._log.metadata.scenario_id,
                "verdict": outcome.verdict,
                "output": self._shown_output,
                "reference": self._log.reference,
                "checks": Counter(check.outcome for check in self._log.checks),
                "drift": outcome.differences,
                "errors": self._errors,
            }
            json_report["d0parity"] = convert_for_json(content)


def _told(update: ReferenceUpdate) -> Iterator[str]:
    path = printable(update.path)
    if update.is_new:
        yield f"Reference {path} is new: review it, and commit it."
    elif update.changes:
        count = "1 value" if len(update.changes) == 1 else f"{len(update.changes)} values"
        yield f"Reference {path} is updated; {count} changed:"
        yield difference_table(update.changes)
    else:
        yield f"Reference {path} is updated; no value changed."
    if update.kept:
        yield f"Kept as they were, for they were not observed: {', '.join(map(printable, update.kept))}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{more} {'was' if len(names) == 1 else 'were'}"
