"""The files that are made of a log, written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..evidence.artifacts import DIGEST, LOG, PAGE, STATEMENT, ReportError, write_artifact
from ..evidence.dataset import Problem
from ..evidence.encoding import to_json
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import EvidenceLog
from ..evidence.probe_archive import Probes
from ..util.files import describe_os_error
from ..util.text import printable
from .csv_tables import checksums, probe_table, stage_table
from .digest import step_summary, step_summary_file, to_markdown
from .outcome import Outcome

_FILES: dict[str, Callable[[EvidenceLog], str | bytes]] = {
    LOG: to_json,
    DIGEST: to_markdown,
    "probe_stats.csv": probe_table,
    "stage_stats.csv": stage_table,
    "SHA256SUMS": checksums,
}


def is_log_of(folder: str, path: str | None) -> bool:
    """Whether a path is that of the log in a folder."""
    return path is not None and os.path.realpath(path) == os.path.realpath(os.path.join(folder, LOG))


def write_reports(log: EvidenceLog, folder: str, reference: str | None = None) -> None:
    """Write log, digest, tables and checksums, each of them atomically.

    Parameters
    ----------
    folder : str
        A folder that is there.
    reference : str, optional
        The log that this one was compared with. It is never replaced by one that differs.

    Raises
    ------
    ReportError
        If one or more could not be written; the others are there all the same.
    """
    if log.verdict != "match" and is_log_of(folder, reference):
        path = printable(os.path.join(folder, LOG))
        raise ReportError(
            f"{path} is the reference itself and is left as it was, with all beside it; name another output"
        )
    failed = []
    for name, render in _FILES.items():
        path = os.path.join(folder, name)
        content = render(log)
        try:
            write_artifact(path, content.encode() if isinstance(content, str) else content)
            if name == LOG:
                # A page or statement of an older log must not stay beside the new one.
                for stale in (PAGE, STATEMENT):
                    path = os.path.join(folder, stale)
                    Path(path).unlink(missing_ok=True)
        except ReportError as error:
            failed.append(str(error))
        except OSError as error:
            failed.append(f"{printable(path)} is of an older log and cannot be removed: {describe_os_error(error)}")
    if failed:
        raise ReportError("; ".join(failed))


def disown_log(folder: str, references: Sequence[str], why: str) -> None:
    """Take the verdict from the log that an earlier run left in a folder; the log stays, and says why it is incomplete.

    Parameters
    ----------
    references : sequence of str
        Logs that are compared with; none of them is touched.

    Raises
    ------
    ReportError
        If it cannot be written.
    """
    if any(is_log_of(folder, path) for path in references):
        return
    try:
        log = read_log(os.path.join(folder, LOG)).log
    except LogError:
        return  # there is none, or none that says anything
    if log.verdict != "incomplete":
        message = f"this log is of an earlier session: {why}"
        problem = Problem(severity="error", name="unmeasured", where="session", message=message)
        write_reports(replace(log, verdict="incomplete", problems=(*log.problems, problem)), folder)


def write_page(
    log: EvidenceLog, probes: Probes, reference: tuple[LogFile, Probes] | None, outcome: Outcome, folder: str
) -> None:
    """Write the page of a log.

    Parameters
    ----------
    probes : Probes
        Those of the log.
    reference : (LogFile, Probes) or None
        The log that it was compared with, where it is at hand, and what lies beside it.
    outcome : Outcome
        What came of the comparison.
    folder : str
        A folder that is there.

    Raises
    ------
    ReportError
        If it could not be made or written.
    """
    path = os.path.join(folder, PAGE)
    try:
        # A test run may have made warnings of libraries errors, and nobody can act on them.
        with warnings.catch_warnings(action="ignore"):
            from .page.render import to_html
            from .page.shown_log import ShownLog

            page = to_html(ShownLog(log, probes), reference and ShownLog(reference[0].log, reference[1]), outcome)
    # A defect in the page must not end the run: the log is written already.
    except Exception as error:
        raise ReportError(
            f"{printable(path)} cannot be made ({type(error).__name__}: {printable(str(error))}): a defect of "
            "pytest-d0parity, please report it; the log is complete"
        ) from error
    write_artifact(path, page.encode())


def append_to_step_summary(log: EvidenceLog) -> None:
    """Append the outcome to the summary of a CI step, if there is one.

    Raises
    ------
    ReportError
        If the file that ``$GITHUB_STEP_SUMMARY`` names cannot be written.
    """
    path = step_summary_file()
    if path is None:
        return
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(step_summary(log))
    except OSError as error:
        raise ReportError(f"step summary {printable(path)} cannot be written: {describe_os_error(error)}") from None
