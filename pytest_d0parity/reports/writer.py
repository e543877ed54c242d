"""The files that are made of a log, rendered and written together."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..evidence.artifacts import (
    DIGEST,
    LOG,
    PAGE,
    PICTURES,
    PROBE_TABLE,
    STAGE_TABLE,
    STATEMENT,
    SUMS,
    ReportError,
)
from ..evidence.dataset import Problem
from ..evidence.encoding import to_json
from ..evidence.file import LogError, LogFile, read_log
from ..evidence.model import EvidenceLog
from ..evidence.pictures import Pictures, pictures_to_bytes
from ..evidence.siblings import strangers_beside
from ..util.atomic import replace_together
from ..util.files import describe_os_error
from ..util.lock import locked
from ..util.temporary import sweep
from ..util.text import printable
from .csv_tables import checksums, probe_table, stage_table
from .digest import step_summary_file, to_markdown
from .outcome import Outcome

_LOCK = ".d0parity.lock"


@dataclass(frozen=True)
class Artifacts:
    """What is made of a log."""

    log: EvidenceLog

    @cached_property
    def json(self) -> bytes:
        """The log itself."""
        return to_json(self.log).encode()

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the log, which all others name."""
        return hashlib.sha256(self.json).hexdigest()

    def tables(self) -> dict[str, bytes]:
        """Return digest, tables and checksums, by name."""
        return {
            DIGEST: to_markdown(self.log, self.sha256).encode(),
            PROBE_TABLE: probe_table(self.log, self.sha256).encode(),
            STAGE_TABLE: stage_table(self.log, self.sha256).encode(),
            SUMS: checksums(self.log),
        }

    def pictures(self, pictures: Pictures) -> bytes:
        """Return the archive of pictures."""
        return pictures_to_bytes(pictures, self.sha256)


def is_log_of(folder: str, path: str | None) -> bool:
    """Whether a path is that of the log in a folder."""
    return path is not None and os.path.realpath(path) == os.path.realpath(os.path.join(folder, LOG))


def write_artifacts(
    artifacts: Artifacts,
    folder: str,
    more: Mapping[str, bytes],
    say: Callable[[str], None],
    reference: str | None = None,
) -> None:
    """Write a log and what is made of it: all beside what is there, then renamed one after the other, the log last.

    Parameters
    ----------
    folder : str
        A folder that is there. What a killed run has left in it is swept.
    more : mapping of str to bytes
        Page and pictures, by name; those of an older log are removed where there are none.
    say : callable
        Is told of a run that is waited for, and of files of two runs.
    reference : str, optional
        The log that this one was compared with. It is never replaced by one that differs.

    Raises
    ------
    ReportError
        If one of them cannot be written; nothing is replaced then.
    LockError
        If another run holds the folder for too long; nothing is replaced then.
    """
    path = os.path.join(folder, LOG)
    if artifacts.log.verdict != "match" and is_log_of(folder, reference):
        raise ReportError(
            f"{printable(path)} is the reference itself and is left as it was, with all beside it; name another output"
        )
    sweep(folder)
    with contextlib.suppress(LogError):  # there is none, or none that says anything
        if found := strangers_beside(read_log(path)):
            say(f"{found}; they are replaced")
    contents = {**artifacts.tables(), **more, LOG: artifacts.json}
    stale = [name for name in (PAGE, PICTURES, STATEMENT) if name not in contents]
    try:
        replace_together(
            {os.path.join(folder, name): content for name, content in contents.items()},
            [os.path.join(folder, name) for name in stale],
            locked(os.path.join(folder, _LOCK), f"the folder {printable(folder)}", say),
        )
    except OSError as error:
        where = printable(str(error.filename or path))
        raise ReportError(
            f"{where} cannot be written: {describe_os_error(error)}; nothing in {printable(folder)} was replaced"
        ) from None


def disown_log(folder: str, references: Sequence[str], why: str, say: Callable[[str], None]) -> None:
    """Take the verdict from the log that an earlier run left in a folder; the log stays, and says why it is incomplete.

    Parameters
    ----------
    references : sequence of str
        Logs that other logs are compared with; one that lies in the folder stays as it is.
    why : str
        A part of a sentence, on what the later run came to.
    say : callable
        As for `write_artifacts`.

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
        message = f"this log is of an earlier run: {why}"
        problem = Problem(severity="error", name="unmeasured", where="session", message=message)
        disowned = replace(log, verdict="incomplete", problems=(*log.problems, problem))
        write_artifacts(Artifacts(disowned), folder, {}, say)


def render_page(
    log: EvidenceLog,
    log_sha256: str,
    pictures: Pictures,
    reference: tuple[LogFile, Pictures] | None,
    outcome: Outcome,
    runs: Sequence[EvidenceLog] = (),
) -> bytes:
    """Render the page of a log.

    Parameters
    ----------
    log_sha256 : str
        The SHA-256 of the log's file.
    pictures : Pictures
        Those of the log.
    reference : (LogFile, Pictures) or None
        The log that it was compared with, where it is at hand, and what lies beside it.
    outcome : Outcome
        What came of the comparison.
    runs : sequence of EvidenceLog
        Several runs that are shown side by side, the log among them.

    Raises
    ------
    ReportError
        If it cannot be made.
    """
    try:
        # A test run may have made warnings of libraries errors, and nobody can act on them.
        with warnings.catch_warnings(action="ignore"):
            from .page.render import to_html
            from .page.shown_log import ShownLog

            run = ShownLog(log, pictures, log_sha256)
            trusted = reference and ShownLog(reference[0].log, reference[1])
            return to_html(run, trusted, outcome, runs).encode()
    # A defect in the page must not end the run, whose log is complete.
    except Exception as error:
        raise ReportError(
            f"{PAGE} cannot be made ({type(error).__name__}: {printable(str(error))}): a defect of pytest-d0parity, "
            "please report it; the log is complete"
        ) from error


def append_to_step_summary(markdown: str) -> None:
    """Append a text to the summary of a CI step, if there is one.

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
            file.write(f"{markdown}\n\n")  # so that what follows is no more of its list or table
    except OSError as error:
        raise ReportError(f"step summary {printable(path)} cannot be written: {describe_os_error(error)}") from None
