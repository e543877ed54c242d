"""The controller of a session: in the process that the user started, it collects the results and writes the log."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..attest.statement import FAILED, result_of, write_statement
from ..capture.cache import open_user_cache
from ..capture.job import CaptureJob
from ..capture.local_pool import LocalPool, pool_size
from ..capture.selection import sizes_of
from ..comparison.compare_log import comparator_for
from ..comparison.reference_update import update_reference
from ..evidence.artifacts import prepare_folder
from ..evidence.dataset import Problem
from ..evidence.file import LogError, LogFile
from ..evidence.model import EvidenceLog
from ..handover.publish import keep_beside_reference, publish
from ..reports.update_text import update_markdown
from ..reports.writer import Artifacts, append_to_step_summary, disown_log, write_artifacts
from ..scenario.scenario import named_output
from ..util.errors import ParityError
from ..util.provenance import GitQuery
from ..util.runtime import ENDING, Interruption
from ..util.text import listed, printable
from .collection import CheckCollector, not_found
from .deselection import ASKED, asked_of_pytest
from .results import CheckResults
from .run_store import RunData, RunStore
from .session import PARITY, ParitySession
from .settings import Settings, all_references, read_settings, references_of, usage_errors
from .summary import Conclusion, Summary, write_errors

_FOLDER = "d0parity_folder"  # key by which a worker of pytest-xdist gets the folder of the store
_JOB = "job"  # the name of the job in the store
_USAGE_ERROR = re.compile(r"\bUsageError: (.*)")
_MAX_NAMES = 5
_FINE = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def start_session(config: pytest.Config) -> None:
    """Start a parity session, in the process that the user started or in a worker of pytest-xdist.

    Raises
    ------
    UsageError
        If the options, the project's tables or the reference cannot be followed.
    """
    worker = getattr(config, "workerinput", None)
    data = _share(config, RunStore(Path(worker[_FOLDER]))) if worker else _control(config)
    plugins = config.pluginmanager
    config.stash[PARITY] = ParitySession(data)
    plugins.register(config.stash[PARITY], "d0parity-session")
    plugins.register(CheckCollector(config, data, data.store), "d0parity-collector")


def _control(config: pytest.Config) -> RunData:
    """Start a session in the process that the user started."""
    notes: list[str] = []
    with usage_errors():
        try:
            settings = read_settings(config)
        except ParityError:
            _disown_of(config)
            raise
        cache = open_user_cache(notes.append) if settings.cache else None
        try:
            references = references_of(settings)
            comparator = comparator_for(settings.scenario, references)
        except ParityError:
            _disown(settings.output, settings.scenario.reference_paths, pytest.ExitCode.USAGE_ERROR)
            raise
        data = RunData(CaptureJob(settings.scenario, comparator, cache), RunStore.make())
        _ = data.selection  # a search for doses in the names that takes too long ends the session at once
    summary = Summary(settings)
    controller = Controller(settings, references[0] if references else None, data, summary.conclusion, notes)
    config.pluginmanager.register(controller, "d0parity-controller")
    config.pluginmanager.register(summary, "d0parity-summary")
    return data


def _share(config: pytest.Config, store: RunStore) -> RunData:
    """Start a session in a worker of pytest-xdist, which may have been started in another folder.

    It does what the process that started it has found out to do. One on another machine, which does not see the store,
    finds it out by itself.
    """
    with usage_errors():
        job = store.get(_JOB)
        if job is None:
            settings = read_settings(config)
            comparator = comparator_for(settings.scenario, references_of(settings))
            job = CaptureJob(settings.scenario, comparator, open_user_cache() if settings.cache else None)
        data = RunData(job, store)
        _ = data.selection
    return data


class Controller:
    """Collects the results of the checks, and writes the log and everything that is made of it.

    Parameters
    ----------
    settings : Settings
        What the session is asked to do.
    reference : LogFile or None
        The log to compare with.
    data : RunData
        Its job has no comparator if there is nothing to compare with. Its store is removed at the end.
    conclusion : Conclusion
        Filled in when the session finishes.
    notes : sequence of str
        What to say before the tests are collected.
    """

    def __init__(
        self,
        settings: Settings,
        reference: LogFile | None,
        data: RunData,
        conclusion: Conclusion,
        notes: Sequence[str],
    ) -> None:
        self._settings = settings
        self._reference = reference
        self._scenario = settings.scenario
        self._data = data
        self._store = data.store
        self._conclusion = conclusion
        self._notes = notes
        self._git = GitQuery(settings.started_in)
        self._results = CheckResults(data, data.store, self._git)
        self._pool = LocalPool()
        self._is_ahead = False
        self._failed_workers: list[str] = []
        self._is_meant_to_run = False
        self._is_running = False
        self._until_the_end = ExitStack()
        self._until_the_end.enter_context(self._git)

    def pytest_report_header(self) -> list[str]:
        """Say what will be checked."""
        scenario = self._scenario
        compared = self._data.job.comparator and scenario.reference
        reference = f", reference {printable(compared)}" if compared else ""
        root = printable(scenario.dataset_root)
        first = f"scenario {printable(scenario.scenario_id)}, dataset root {root}{reference}"
        return [f"d0parity: {line}" for line in (first, *self._notes)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Make the folder for the artifacts, so that a session which cannot write them ends before it measures."""
        if _runs_tests(session.config):
            self._is_meant_to_run = True
            with usage_errors():
                prepare_folder(self._settings.output)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Replace the log of an earlier session by an incomplete one, in case this session is killed.

        From here on, SIGTERM and SIGHUP end the session as Ctrl-C does, which pytest handles by itself.
        """
        if _runs_tests(session.config):
            self._is_running = True
            self._until_the_end.enter_context(Interruption(ENDING))
            with suppress(ParityError):  # the log cannot be written at the end either, which is reported then
                write_artifacts(
                    Artifacts(self._results.log()),
                    self._settings.output,
                    {},
                    self._conclusion.notes.append,
                    self._scenario.reference_path,
                )
            if not session.config.pluginmanager.hasplugin("dsession"):  # workers of pytest-xdist share the datasets
                self._start_measuring()

    def _start_measuring(self) -> None:
        """Measure the datasets of the selected checks in a pool of processes."""
        sizes = self._sizes()
        self._pool = LocalPool(pool_size(None, sizes, self._data.job.cache), self._conclusion.notes.append)
        self._data.measure_in(self._pool, sizes)

    def _sizes(self) -> dict[str, int]:
        """Return the bytes of the datasets of the selected checks, by file name."""
        names = {check.dataset for check in self._results.plan() if check.selected and check.dataset}
        return sizes_of(self._scenario, names)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Measure beside the workers of pytest-xdist, once the first of them has said which checks there are."""
        if not self._is_ahead and self._is_running:
            self._is_ahead = True
            self._data.measure_ahead(self._sizes())

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where the store is, and what the user asked for here."""
        if self._store.get(_JOB) is None:
            self._store.put(_JOB, self._data.job)
        node.workerinput |= {_FOLDER: str(self._store.folder), ASKED: asked_of_pytest(node.config)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note that a worker of pytest-xdist failed. One that cannot start would be replaced for ever."""
        if found := _USAGE_ERROR.search(str(error)):
            why = f"the worker {node.gateway.id} cannot start: {found[1]}"
            pytest.exit(f"d0parity: {why}", pytest.ExitCode.USAGE_ERROR)
        code = getattr(node, "workeroutput", {}).get("exitstatus", pytest.ExitCode.OK)
        if error:
            self._failed_workers.append(f"the worker {node.gateway.id} died")
        elif code not in _FINE:
            self._failed_workers.append(f"the worker {node.gateway.id} ended with exit code {int(code)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report to the results."""
        self._results.add_report(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Write the artifacts and set the exit code before other plugins report on the session."""
        self._data.end()
        self._pool.close()
        if self._is_running:
            try:
                self._conclude(session)
            except KeyboardInterrupt as interrupt:
                cause = str(interrupt) or "interrupted by Ctrl-C"
                self._conclusion.errors.append(f"{cause} while the artifacts were written")
                session.exitstatus = pytest.ExitCode.INTERRUPTED
            write_errors(self._conclusion, session.config)
        elif self._is_meant_to_run:
            _disown(self._settings.output, self._scenario.reference_paths, session.exitstatus)
        result = yield
        self._fail_if_needed(session)  # pytest-testmon calls a session good in which it has left no test
        return result

    def pytest_unconfigure(self) -> None:
        """Remove the store."""
        self._until_the_end.close()
        self._data.end()
        self._pool.close()
        self._store.remove()

    def _conclude(self, session: pytest.Session) -> None:
        errors = self._conclusion.errors
        unknown = self._store.get("unknown")
        if unknown:  # only workers of pytest-xdist get here: without them, the collection has failed
            errors.append(not_found(unknown))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        log = self._conclusion.log = self._log(session)
        self._conclusion.notes += self._store.notes
        errors += self._reasons(log)
        if ended := session.shouldfail or session.shouldstop:
            self._conclusion.notes.append(f"pytest ended early ({ended}): what follows tells of a part alone")
        self._write(log)
        if self._settings.update:
            self._update_reference(log, session)
        if self._settings.attest:
            self._attest(log)
        self._fail_if_needed(session)

    def _log(self, session: pytest.Session) -> EvidenceLog:
        """Make the log. What would pass is warned of where the session has failed otherwise."""
        log = self._results.log()
        failure = self._failure(session)
        if failure and result_of(log) != FAILED:
            warning = Problem(severity="warning", where="session", message=f"{failure}, though no check failed")
            log = replace(log, problems=(*log.problems, warning))
        return log

    def _failure(self, session: pytest.Session) -> str:
        """Say how a process of the session has failed; empty if none has."""
        if self._failed_workers:
            return self._failed_workers[0]
        code = session.exitstatus
        return "" if code in _FINE else f"the session ended with exit code {int(code)}"

    def _reasons(self, log: EvidenceLog) -> Iterator[str]:
        """Say why parity is not shown."""
        taken = {} if self._settings.partial else self._results.taken_away()
        for taker, names in taken.items():
            yield (
                f"parity is not shown, for {_were(names)} taken away, and not by you but by {taker}; where that is "
                "meant, add --parity-partial"
            )
        never = self._results.never_reported()
        if never:
            yield f"parity is not shown, for {_were(never)} planned and never reported"
        elif log.verdict == "incomplete" and all(check.selected for check in self._results.plan()):
            yield "parity is not shown, for not everything could be looked at"

    def _fail_if_needed(self, session: pytest.Session) -> None:
        if self._conclusion.fails and session.exitstatus in _FINE:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, log: EvidenceLog) -> None:
        settings = self._settings
        with suppress(ParityError):  # it may be gone, as with --basetemp; what cannot be written is reported then
            prepare_folder(settings.output)
        publication = self._conclusion.publication = publish(
            log,
            self._results.pictures,
            self._scenario,
            settings.output,
            self._reference,
            self._conclusion.notes.append,
            history=settings.history,
            shown_output=settings.shown_output,
        )
        self._conclusion.errors += publication.errors

    def _attest(self, log: EvidenceLog) -> None:
        """Write what the log attests, the last of all: nothing may fail after a statement that says otherwise."""
        end = self._conclusion
        if end.publication is None or not end.publication.is_written:
            return
        if end.errors and result_of(log) != FAILED:
            end.errors.append("no statement is written, for the session failed")
            return
        try:
            write_statement(self._settings.output)
        except ParityError as error:
            end.errors += error.sentences
            return
        end.is_attested = True

    def _update_reference(self, log: EvidenceLog, session: pytest.Session) -> None:
        """Update the reference, and tell what became of it also in the summary of a CI step."""
        end = self._conclusion
        errors: Sequence[str] = ()
        try:
            self._accept(log, session)
        except ParityError as error:
            errors = error.sentences
            end.errors += errors
        with suppress(ParityError):  # a summary that cannot be written was told when the log was published
            append_to_step_summary(update_markdown(end.update, errors))

    def _accept(self, log: EvidenceLog, session: pytest.Session) -> None:
        # The settings are refused if they ask for an update and name no reference.
        path, shown_as = self._scenario.reference_path or "", self._scenario.reference or ""
        checked = self._results.without_unchecked(log)
        if reason := self._reason_to_keep_reference(log, checked, session):
            raise LogError(f"reference {printable(shown_as)} is left as it was, for {reason}")
        self._conclusion.update = update = update_reference(path, shown_as, checked, self._scenario.thresholds)
        if update.is_written:
            keep_beside_reference(path, self._settings.output)
        taken = {dataset.filename for dataset in checked.datasets}
        self._conclusion.not_taken = [each.filename for each in log.datasets if each.filename not in taken]

    def _reason_to_keep_reference(self, log: EvidenceLog, checked: EvidenceLog, session: pytest.Session) -> str:
        """Return why the reference is not updated; empty if it is."""
        if failed := self._results.not_passed():
            return f"{_were(failed)} not passed"
        if differ := [*self._results.disagreeing()]:
            return f"{_were(differ)} not the same in all runs"
        if not checked.datasets and (log.datasets or not checked.baseline_params):
            return "of no dataset all checks have run"
        return "the session failed" if self._conclusion.errors else self._failure(session)


def _disown_of(config: pytest.Config) -> None:
    """Disown the log where this session, whose settings cannot be followed, was to write one."""
    output = named_output(config.getoption("parity_output"), str(config.invocation_params.dir))
    if output is not None:
        with suppress(ParityError):  # which references the project has cannot be read
            _disown(output, all_references(config), pytest.ExitCode.USAGE_ERROR)


def _disown(output: str, references: Sequence[str], code: int) -> None:
    """Let the log of an earlier session not stay as if it were that of this one, which runs no check."""
    with suppress(ParityError):  # the session has failed, which is worse
        why = f"a later one ended with exit code {int(code)} before any check ran"
        disown_log(output, references, why, lambda _: None)


def _runs_tests(config: pytest.Config) -> bool:
    """Whether tests are run, and not only collected or set up."""
    return not any(config.getoption(name, False) for name in ("collectonly", "setuponly", "setupplan"))


def _were(names: Sequence[str]) -> str:
    """Begin a sentence about names: ``a, b and 3 more were``."""
    return f"{listed(names, _MAX_NAMES)} {'was' if len(names) == 1 else 'were'}"
