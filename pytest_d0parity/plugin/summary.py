"""What a session tells at its end: in the terminal, on the page of pytest-html, and to pytest-json-report."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import pytest

from ..comparison.reference_update import ReferenceUpdate
from ..evidence.artifacts import DIGEST, PAGE, STATEMENT
from ..evidence.dataset import problem_line
from ..evidence.encoding import convert_for_json
from ..evidence.model import EvidenceLog
from ..handover.publish import Publication
from ..reports.annotations import Failure, github_annotations
from ..reports.outcome import outcome_of
from ..reports.update_text import update_lines
from ..scenario.options import for_pytest
from ..util.text import counted, more_than, printable, valid_utf8
from .session import drifted_in, id_of_report
from .settings import Settings

_MAX_PROBLEMS = 20


@dataclass
class Conclusion:
    """How a session ended.

    Attributes
    ----------
    log : EvidenceLog or None
        None if the session never ran its tests.
    errors : list of str
        Why parity is not shown, and what could not be written.
    notes : list of str
        What was waited for, or gone on without.
    publication : Publication or None
        What was written.
    is_attested : bool
        Whether a statement was written as well.
    update : ReferenceUpdate or None
        What changed in the reference.
    not_taken : list of str
        Datasets that were not taken over into the reference.
    """

    log: EvidenceLog | None = None
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    publication: Publication | None = None
    is_attested: bool = False
    update: ReferenceUpdate | None = None
    not_taken: list[str] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        """Whether the session fails."""
        return bool(self.errors) or (self.log is not None and self.log.verdict == "drift")

    @property
    def is_bad(self) -> bool:
        """Whether parity is not shown."""
        return self.fails or (self.log is not None and self.log.verdict == "incomplete")


class Summary:
    """Tells the conclusion of a session.

    Parameters
    ----------
    settings : Settings
        Names the scenario and the folder of the artifacts.

    Attributes
    ----------
    conclusion : Conclusion
        Filled in by the controller when the session finishes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.conclusion = Conclusion()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the errors, the verdict, what drifted, and where the artifacts are."""
        end = self.conclusion
        if end.log is None and not end.errors:
            return
        title = f"d0parity: {printable(self._settings.scenario.scenario_id)}"
        terminalreporter.write_sep("=", title, red=end.is_bad, green=not end.is_bad, bold=True)
        for error in end.errors:
            terminalreporter.write_line(f"ERROR: {error}", red=True)
        for note in end.notes:
            terminalreporter.write_line(f"note: {note}")
        if end.log is not None:
            for line in (*_log_lines(end.log), *self._file_lines()):
                terminalreporter.write_line(line)
            if os.environ.get("GITHUB_ACTIONS") == "true":
                for line in github_annotations(end.log, end.errors, _failures(terminalreporter)):
                    terminalreporter.write_line(line)

    def _file_lines(self) -> Iterator[str]:
        end = self.conclusion
        if end.update is not None:
            yield from update_lines(end.update)
        if end.not_taken:
            names = ", ".join(map(printable, end.not_taken))
            yield f"Not taken over, for not all of their checks have run: {names}"
        written = end.publication
        if written is None:
            return
        if written.is_written:
            yield f"Read {self._shown(DIGEST)}; every digit is in the .json."
        if end.is_attested:
            yield f"Attested, not signed: {self._shown(STATEMENT)}."
        elif self._has_page():
            yield f"Look at {self._shown(PAGE)}."

    def _shown(self, name: str) -> str:
        return printable(os.path.join(self._settings.shown_output, name))

    def _page_path(self) -> str:
        return os.path.join(self._settings.output, PAGE)

    def _has_page(self) -> bool:
        written = self.conclusion.publication
        return written is not None and written.is_written and os.path.exists(self._page_path())

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str], session: pytest.Session) -> None:
        """Add the verdict, and a link to our page, to the page of pytest-html."""
        log = self.conclusion.log
        if log is None:
            return
        prefix.append(
            f"<p>d0parity, {escape(printable(self._settings.scenario.scenario_id))}: "
            f"<strong>{log.verdict}</strong>: {escape(outcome_of(log).sentence)}</p>"
        )
        if self._has_page():
            folder = os.path.dirname(os.path.abspath(str(session.config.getoption("htmlpath"))))
            address = quote(os.path.relpath(self._page_path(), folder))  # relative, so that both can be moved together
            prefix.append(f'<p><a href="{escape(address)}">What the data look like</a></p>')

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_modifyreport(self, json_report: dict[str, Any]) -> None:
        """Add a section ``d0parity`` to the report of pytest-json-report."""
        log = self.conclusion.log
        if log is None:
            return
        outcome = outcome_of(log)
        section = {
            "scenario_id": log.metadata.scenario_id,
            "verdict": outcome.verdict,
            "output": self._settings.shown_output,
            "reference": log.reference,
            "checks": Counter(check.outcome for check in log.checks),
            "drift": outcome.differences,
            "errors": self.conclusion.errors,
        }
        json_report["d0parity"] = convert_for_json(section)


def _failures(terminalreporter: pytest.TerminalReporter) -> dict[str, Failure]:
    """Return what the tests that failed say first, by their ids."""
    failures: dict[str, Failure] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport) and report.failed:
            failure = Failure(message=_message(report), drifted=drifted_in(report), place=_place(report))
            failures.setdefault(valid_utf8(id_of_report(report) or report.nodeid), failure)
    return failures


def _place(report: pytest.TestReport) -> tuple[str, int] | None:
    """Return the file and the line, from 1, of the test of a report; None for our own checks, which name no line."""
    path, line, _ = report.location
    return None if line is None else (PurePath(path).as_posix(), line + 1)


def _message(report: pytest.TestReport) -> str:
    """Return what a report of a failure says first; its text may begin with the worker of pytest-xdist it is from."""
    text = report.longreprtext
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        text = crash.message.removeprefix("Failed: ")
    elif marked := re.search(r"^E +(.+)", text, re.MULTILINE):  # of an unknown fixture, where the source comes first
        text = marked[1]
    return next((line for line in text.splitlines() if line.strip()), "failed")


def write_errors(conclusion: Conclusion, config: pytest.Config) -> None:
    """Write the errors to standard error if pytest writes no summary in the terminal."""
    if config.getoption("no_summary", False) or not config.pluginmanager.hasplugin("terminal"):
        for error in conclusion.errors:
            sys.stderr.write(f"d0parity: ERROR: {error}\n")


def _log_lines(log: EvidenceLog) -> Iterator[str]:
    outcome = outcome_of(log)
    yield f"{log.verdict}: {outcome.sentence}"
    counts = Counter(check.outcome for check in log.checks)
    tally = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    yield f"{len(log.checks)} checks, {counted(log.total_datasets, 'dataset')}: {tally or 'none'}"
    # The rows were told by the checks that failed.
    failed = any(check.outcome in ("failed", "error") for check in log.checks)
    if text := "\n".join(outcome.remarks) if failed else outcome.text():
        yield text
    if any(finding.root == "datasets" and finding.proof == "missing" for finding in log.findings):
        yield "A dataset that is gone for good leaves the reference where that is made anew: remove its file first."
    elif log.verdict == "drift" and not log.has_errors:
        yield "Where a change is meant: accept it with --parity-update-reference, and have it reviewed."
    for problem in log.all_problems[:_MAX_PROBLEMS]:
        yield for_pytest(problem_line(problem))
    yield from more_than(_MAX_PROBLEMS, len(log.all_problems), "problems")
