"""A log, written in the formats of its readers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..compare.log_view import Recorded, recorded, recorded_file
from ..evidence.artifacts import DIGEST, LOG, PAGE, PROBES, STATEMENT, ReportError, write_artifact
from ..evidence.encoding import to_json
from ..evidence.file import LogError, read_log
from ..evidence.model import EvidenceLog
from ..evidence.probe_archive import collect_probes, probes_to_bytes
from ..util.files import describe_os_error
from ..util.runtime import quiet_logger
from ..util.text import printable
from .csv_tables import checksums, probe_table, stage_table
from .digest import step_summary, step_summary_file, to_markdown
from .outcome import Outcome, outcome_of

_FILES: dict[str, Callable[[EvidenceLog], str | bytes]] = {
    LOG: to_json,
    DIGEST: to_markdown,
    "probe_stats.csv": probe_table,
    "stage_stats.csv": stage_table,
    "SHA256SUMS": checksums,
}


def is_log_of(folder: str, path: str | None) -> bool:
    """Whether a path is that of the log that goes into a folder."""
    return path is not None and os.path.realpath(path) == os.path.realpath(os.path.join(folder, LOG))


def write_reports(log: EvidenceLog, folder: str, reference: str | None = None) -> None:
    """Write every artifact of a log, each of them whole or not at all.

    Parameters
    ----------
    log : EvidenceLog
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
                # A page or a statement about another log would be worse than none.
                for stale in (PAGE, STATEMENT):
                    path = os.path.join(folder, stale)
                    Path(path).unlink(missing_ok=True)
        except ReportError as error:
            failed.append(str(error))
        except OSError as error:
            failed.append(f"{printable(path)} is of an older log and cannot be removed: {describe_os_error(error)}")
    if failed:
        raise ReportError("; ".join(failed))


def write_page(log: EvidenceLog, folder: str, reference: str | None, path_of: Callable[[str], str]) -> str:
    """Write the page for people who look, and the probes that it shows.

    Parameters
    ----------
    log : EvidenceLog
    folder : str
        Where the log lies.
    reference : str or None
        The log that it was compared with.
    path_of : callable
        Gives the path of a dataset by its file name.

    Returns
    -------
    str
        Why there is no page, in a sentence; empty where there is one.

    Raises
    ------
    ReportError
        If a file could not be written.
    """
    if log.verdict != "match" and is_log_of(folder, reference):
        return ""  # the log there is the reference, and so are its probes and its page
    # Before the probes are written: the reference's may lie in the same folder.
    trusted = _reference_of(log, reference)
    probes = collect_probes(log.datasets, path_of)
    write_artifact(os.path.join(folder, PROBES), probes_to_bytes(probes.arrays))
    return write_page_of(recorded(log, probes), trusted, outcome_of(log), folder)


def write_page_of(run: Recorded, reference: Recorded | None, outcome: Outcome, folder: str) -> str:
    """Write the page of a log that was read back: see `write_page`."""
    path = os.path.join(folder, PAGE)
    try:
        with quiet_logger("matplotlib"):  # of fonts, and of its settings
            from .page.render import to_html

            page = to_html(run, reference, outcome)
    except ImportError:
        return f"{PAGE} needs the extra 'report': python -m pip install 'pytest-d0parity[report]'"
    # The last resort: whatever goes wrong with a picture must not look like the loss of the log, which is written.
    except Exception as error:
        raise ReportError(
            f"{printable(path)} cannot be made ({type(error).__name__}: {printable(str(error))}): a defect of "
            "pytest-d0parity, please report it; the log is complete"
        ) from error
    write_artifact(path, page.encode())
    return ""


def _reference_of(log: EvidenceLog, reference: str | None) -> Recorded | None:
    if log.reference is None or reference is None:
        return None
    try:
        file = read_log(reference, log.reference.path)
        return recorded_file(file, os.path.dirname(reference)) if file.sha256 == log.reference.sha256 else None
    except LogError:  # it has gone since it was compared with
        return None


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
