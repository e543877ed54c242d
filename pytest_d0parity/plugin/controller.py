"""The parity side of a pytest session, in the process that the user started: it plans, receives and concludes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ..capture.cache import users_cache
from ..capture.job import CaptureJob
from ..capture.local_pool import LocalPool, pool_size
from ..capture.run import comparator_of, read_reference
from ..capture.selection import sizes_of
from ..compare.reference_update import ReferenceUpdate, update_reference
from ..evidence.artifacts import PAGE, STATEMENT, ReportError, prepare_folder
from ..evidence.encoding import convert_for_json
from ..evidence.file import LogError
from ..evidence.model import EvidenceLog
from ..handover.publish import publish
from ..reports.difference_table import difference_table
from ..reports.history import HistoryError
from ..reports.outcome import outcome_of
from ..reports.writer import is_log_of, write_reports
from ..scenario.options import OPTIONS
from ..scenario.pyproject import ProjectError, find_project
from ..scenario.scenario import Scenario, ScenarioError, default_output, make_scenario
from ..util.text import printable
from .results import CheckResults
from .run_store import RunStore
from .session import PARITY, ParitySession, not_found

_FOLDER = "d0parity_folder"  # where the workers find the store of the run
_SHOWN = 5
_PROBLEMS = 20


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
        scenario_id = config.getoption("parity_scenario")
        if not scenario_id:
            raise ScenarioError("--parity-scenario is empty; name a scenario")
        # pytest may take its root elsewhere: the value of an option can look to it like a path to tests.
        project = find_project(invocation)
        project = project if project.path else find_project(str(config.rootpath))
        scenario = make_scenario(project, scenario_id, options, invocation)
        if update:
            _check_update(scenario, options)
        notes: list[str] = []
        cache = None if options["no_cache"] else users_cache(notes.append)
        job = CaptureJob(scenario, None if update else comparator_of(scenario), cache)
    except (ProjectError, ScenarioError) as error:
        raise pytest.UsageError(str(error)) from None
    except LogError as error:
        raise pytest.UsageError(f"the reference: {error}{_how_to_make(scenario)}") from None
    if hasattr(config, "workerinput"):
        store = RunStore(Path(config.workerinput[_FOLDER]))
    else:
        given = options["output"]
        output = os.path.join(invocation, given) if given else default_output(project, invocation)
        if update and is_log_of(output, scenario.reference_path):
            raise pytest.UsageError("the reference is the log that this session writes; name another --parity-output")
        folder = Path(tempfile.mkdtemp(prefix="d0parity-"))
        store = RunStore(folder)
        controller = Controller(config, job, store, folder, output, update, notes)
        config.pluginmanager.register(controller, "d0parity-conductor")
    session = ParitySession(config, job, store)
    config.stash[PARITY] = session
    config.pluginmanager.register(session, "d0parity-session")


def _how_to_make(scenario: Scenario) -> str:
    if scenario.reference_path is None or os.path.lexists(scenario.reference_path):
        return ""
    return "; to make it of what is observed, add --parity-update-reference"


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
        comparator_of(scenario)  # what cannot be read is told now, and not after hours of measuring


class Controller:
    """Receives the reports, and makes the log of them.

    Parameters
    ----------
    config : pytest.Config
    job : CaptureJob
        Its reference is None where nothing is to be compared.
    store : RunStore
    folder : path
        Of the store; removed at the end.
    output : str
        Where the artifacts go.
    update : bool
        Whether the observed values become the reference.
    notes : sequence of str
        What the user should know before anything begins.
    """

    def __init__(
        self,
        config: pytest.Config,
        job: CaptureJob,
        store: RunStore,
        folder: Path,
        output: str,
        update: bool,
        notes: Sequence[str],
    ) -> None:
        self._config = config
        self._scenario = job.scenario
        self._cache = job.cache
        self._comparator = job.comparator
        self._reference = None if job.comparator is None else read_reference(job.scenario)
        self._store = store
        self._folder = folder
        self._output = output
        self._update = update
        self._notes = notes
        self._results = CheckResults(job, store, str(config.invocation_params.dir))
        self._pool = LocalPool()
        self._running = False
        self._written = False
        self._attested = False
        self._no_page = ""
        self._log: EvidenceLog | None = None
        self._changes: ReferenceUpdate | None = None
        self._not_taken: list[str] = []
        self._errors: list[str] = []

    # --- the session

    def pytest_report_header(self) -> list[str]:
        """Say what will be checked."""
        scenario = self._scenario
        reference = f", reference {printable(scenario.reference)}" if self._comparator and scenario.reference else ""
        root = printable(scenario.dataset_root)
        first = f"scenario {printable(scenario.scenario_id)}, dataset root {root}{reference}"
        return [f"d0parity: {line}" for line in (first, *self._notes)]

    def pytest_sessionstart(self) -> None:
        """Make the folder for the artifacts, so that hours of reading do not end at a closed door."""
        if self._is_for_real():
            try:
                prepare_folder(self._output)
            except ReportError as error:
                raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Replace the log of an earlier session by one that claims nothing, should this one never end."""
        if self._is_for_real():
            self._running = True
            self._attempt(lambda: write_reports(self._results.log(), self._output, self._scenario.reference_path))
            self._errors.clear()  # whatever keeps it from being written will be told at the end
            self._set_to_work()

    def _set_to_work(self) -> None:
        """Have the datasets that will be asked for measured on all cores; workers of pytest-xdist share them out."""
        if not self._config.pluginmanager.hasplugin("dsession"):
            names = {check.dataset for check in self._results.plan() if check.selected and check.dataset}
            sizes = sizes_of(self._scenario, names)
            self._pool = LocalPool(pool_size(None, sizes, self._cache))
            self._config.stash[PARITY].data.begin(self._pool, sizes)

    def _is_for_real(self) -> bool:
        """Whether tests are run, and not only collected or set up."""
        options = ("collectonly", "setuponly", "setupplan")
        return not any(self._config.getoption(name, False) for name in options)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where the store is."""
        node.workerinput[_FOLDER] = str(self._folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Receive a report."""
        self._results.receive(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Conclude before anybody else reports on the session."""
        self._pool.close()
        self._conclude(session)
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Remove the store."""
        self._pool.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the conclusion

    def _conclude(self, session: pytest.Session) -> None:
        if not self._running:
            return
        unknown = self._store.get("unknown")
        if unknown:  # only workers have looked for them
            self._errors.append(not_found(unknown))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._log = self._results.log()
            self._write(self._log)
            if self._update:
                self._update_reference(self._log)
            never = self._results.never_reported()
            if never:
                self._errors.append(f"parity is not shown, for {_listed(never)} planned and never reported")
            elif self._log.verdict == "incomplete" and all(check.selected for check in self._results.plan()):
                self._errors.append("parity is not shown, for not everything could be looked at")
            failed = self._errors or self._log.verdict == "drift"
            if failed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._tell_without_summary()

    def _write(self, log: EvidenceLog) -> None:
        history = self._config.getoption("parity_history")
        publication = publish(
            log,
            self._scenario,
            self._output,
            self._reference,
            history=history and os.path.join(str(self._config.invocation_params.dir), history),
            shown_output=self._shown_output(),
            attest=bool(self._config.getoption("parity_attest")),
        )
        self._written, self._attested = publication.is_written, publication.is_attested
        self._no_page = publication.note
        self._errors += publication.errors

    def _attempt(self, step: Callable[[], object]) -> bool:
        try:
            step()
        except (ReportError, HistoryError, LogError) as error:
            self._errors.append(str(error))
            return False
        return True

    def _update_reference(self, log: EvidenceLog) -> None:
        path, shown_as = self._scenario.reference_path, self._scenario.reference
        assert path is not None  # noqa: S101 - begin() has seen to it
        assert shown_as is not None  # noqa: S101
        accepted = self._results.accepted(log)
        failed = self._results.not_passed()
        reason = None
        if failed:
            reason = f"{_listed(failed)} not passed"
        elif not accepted.datasets and (log.datasets or not accepted.baseline_params):
            reason = "of no dataset all checks have run"
        if reason:
            self._errors.append(f"reference {printable(shown_as)} is left as it was, for {reason}")
            return

        def update() -> None:
            self._changes = update_reference(path, shown_as, accepted)
            taken = {dataset.filename for dataset in accepted.datasets}
            self._not_taken = [dataset.filename for dataset in log.datasets if dataset.filename not in taken]

        self._attempt(update)

    # --- telling

    def _shown_output(self) -> str:
        """Give the output folder, from where the user stands."""
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
        datasets = "1 dataset" if log.total_datasets == 1 else f"{log.total_datasets} datasets"
        yield f"{len(log.checks)} checks, {datasets}: {tally or 'none'}"
        yield from filter(None, [outcome.text()])
        if log.verdict == "drift":
            yield "Where a change is meant: accept it with --parity-update-reference, and have it reviewed."
        for problem in log.all_problems[:_PROBLEMS]:
            yield f"{problem.severity}: {printable(problem.where)}: {printable(problem.message)}"
        if len(log.all_problems) > _PROBLEMS:
            yield f"... and {len(log.all_problems) - _PROBLEMS} more problems"
        if self._changes is not None:
            yield from _told(self._changes)
        if self._not_taken:
            names = ", ".join(map(printable, self._not_taken))
            yield f"Not taken over, for not all of their checks have run: {names}"
        if self._written:
            path = printable(os.path.join(self._shown_output(), "dose_parity_log.md"))
            yield f"Read {path}; every digit is in the .json."
        if self._attested:
            yield f"Attested, not signed: {printable(os.path.join(self._shown_output(), STATEMENT))}."
        if self._no_page:
            yield f"note: {self._no_page}"
        elif self._page():
            yield f"Look at {printable(os.path.join(self._shown_output(), PAGE))}."

    def _page(self) -> str | None:
        path = os.path.join(self._output, PAGE)
        return path if self._written and os.path.exists(path) else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str], session: pytest.Session) -> None:
        """Put verdict and page on the page of pytest-html."""
        if self._log is None:
            return
        prefix.append(
            f"<p>d0parity, {escape(printable(self._scenario.scenario_id))}: <strong>{self._log.verdict}</strong>: "
            f"{escape(outcome_of(self._log).sentence)}</p>"
        )
        if page := self._page():
            # Relative, so that both can be moved together.
            beside = os.path.dirname(os.path.abspath(str(session.config.getoption("htmlpath"))))
            address = quote(os.path.relpath(page, beside))
            prefix.append(f'<p><a href="{escape(address)}">What the data look like</a></p>')

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
                "output": self._shown_output(),
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
    elif not update.is_written:
        yield f"Reference {path} is left as it was: no value changed."
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
