"""A log, written in the formats of its readers."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..evidence import EvidenceLog, to_json
from ..files import describe_os_error, write_atomically
from ..text import printable
from .checksums import checksums
from .history import HistoryError, append_to_history
from .markdown import to_markdown
from .outcome import Outcome, difference_table, outcome_of
from .step_summary import step_summary, step_summary_file
from .tables import probe_table, stage_table

__all__ = [
    "HistoryError",
    "Outcome",
    "ReportError",
    "append_to_history",
    "append_to_step_summary",
    "difference_table",
    "is_log_of",
    "outcome_of",
    "prepare_folder",
    "write_reports",
]

LOG = "dose_parity_log.json"

_FILES: dict[str, Callable[[EvidenceLog], str | bytes]] = {
    LOG: to_json,
    "dose_parity_log.md": to_markdown,
    "probe_stats.csv": probe_table,
    "stage_stats.csv": stage_table,
    "SHA256SUMS": checksums,
}


class ReportError(OSError):
    """Artifacts that could not be written, said in words."""


def prepare_folder(folder: str) -> None:
    """Make the folder for the artifacts, so that hours of reading do not end at a closed door.

    Parameters
    ----------
    folder : str

    Raises
    ------
    ReportError
        If it cannot be made or written to.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError:
        raise ReportError(f"output {printable(folder)} is a file; a folder is needed") from None
    except OSError as error:
        raise ReportError(f"output folder {printable(folder)} cannot be made: {describe_os_error(error)}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ReportError(f"output folder {printable(folder)} cannot be written to: permission denied")


def is_log_of(folder: str, path: str | None) -> bool:
    """Whether a path is that of the log that goes into a folder."""
    return path is not None and os.path.realpath(path) == os.path.realpath(os.path.join(folder, LOG))


def write_reports(log: EvidenceLog, folder: str, reference: str | None = None) -> list[str]:
    """Write every artifact of a log, each of them whole or not at all.

    Parameters
    ----------
    log : EvidenceLog
    folder : str
        A folder that is there.
    reference : str, optional
        The log that this one was compared with. It is never replaced by one that differs.

    Returns
    -------
    list of str
        The paths written.

    Raises
    ------
    ReportError
        If one or more could not be written; the others are there all the same.
    """
    written, failed = [], []
    for name, render in _FILES.items():
        path = os.path.join(folder, name)
        if name == LOG and log.verdict != "match" and is_log_of(folder, reference):
            failed.append(f"{printable(path)} is the reference itself and is left as it was; name another output")
            continue
        content = render(log)
        try:
            write_atomically(path, content.encode() if isinstance(content, str) else content)
            written.append(path)
        except OSError as error:
            failed.append(f"{printable(path)} cannot be written: {describe_os_error(error)}")
    if failed:
        raise ReportError("; ".join(failed))
    return written


def append_to_step_summary(log: EvidenceLog) -> None:
    """Append the outcome to the summary that a CI system shows, where there is such a system.

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
