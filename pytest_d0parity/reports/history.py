"""The attempts history: a line for each run, in a Markdown file of the user's."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable

from ..evidence.model import EvidenceLog
from ..util.atomic import write_atomically
from ..util.errors import ParityError
from ..util.files import describe_os_error, open_regular
from ..util.lock import locked
from ..util.temporary import sweep
from ..util.text import printable

_HEADING = re.compile(r"(#{1,6})\s")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_ATTEMPTS = re.compile(r"(\s*)(?:[-*+]\s+|#{1,6}\s+)?\**Attempts History\b", re.IGNORECASE)


class HistoryError(ParityError):
    """A history file that cannot be updated."""


def append_to_history(path: str, log: EvidenceLog, output: str, say: Callable[[str], None]) -> None:
    """Append a run to the attempts history of its scenario.

    Parameters
    ----------
    path : str
        The Markdown file. The entry goes to the end of the list "Attempts History" in the section
        whose heading names the scenario; list and section are made where there is none.
    log : EvidenceLog
        The run.
    output : str
        Where its artifacts are.
    say : callable
        Is told of another run that holds the history.

    Raises
    ------
    HistoryError
        If the file is not there, or cannot be read or written. It is then unchanged.
    LockError
        If another run holds it for too long.
    """
    try:
        with locked(_lock_of(path), f"the history {printable(path)}", say):
            sweep(os.path.dirname(os.path.realpath(path)))
            _append(path, log, output)
    except OSError as error:
        reason = describe_os_error(error)
        raise HistoryError(f"history {printable(path)} cannot be brought up to date: {reason}") from None


def _lock_of(path: str) -> str:
    """Return the lock of the file, shared by the runs of a user, in the folder for temporary files."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else ""
    return os.path.join(tempfile.gettempdir(), f"d0parity-{user}-{name}.lock")


def _append(path: str, log: EvidenceLog, output: str) -> None:
    with open_regular(path) as file:
        data = file.read() or b""
    text = data.decode("utf-8", "surrogateescape")
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    _insert(lines, log.metadata.scenario_id, _entry(log, output))
    write_atomically(path, ending.join(lines).encode("utf-8", "surrogateescape"))


def _entry(log: EvidenceLog, output: str) -> str:
    errors = sum(problem.severity == "error" for problem in log.all_problems)
    warnings = len(log.all_problems) - errors
    when = log.metadata.timestamp[:19] + "Z"
    return (
        f"- *{when} (D0 parity):* {log.total_datasets} datasets of {_code(log.metadata.dataset_root)}, "
        f"verdict {log.verdict}, {errors} errors, {warnings} warnings. Artifacts: {_code(output)}."
    )


def _code(text: str) -> str:
    return "`" + printable(text).replace("`", "'") + "`"


def _insert(lines: list[str], scenario_id: str, entry: str) -> None:
    scenario = printable(scenario_id)
    section = _section(lines, scenario)
    if section is None:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += [*([""] if lines else []), f"### [{scenario}] D0 parity evidence", "- Attempts History:"]
        lines += [f"  {entry}", ""]
        return
    start, end = section
    for number in range(start, end):
        attempts = _ATTEMPTS.match(lines[number])
        if attempts:
            is_heading = lines[number].lstrip().startswith("#")
            place, indent = _end_of_list(lines, number, end, len(attempts[1]), is_heading)
            lines.insert(place, indent + entry)
            return
    while end > start + 1 and lines[end - 1].strip() in ("", "---"):
        end -= 1
    lines[end:end] = ["- Attempts History:", f"  {entry}"]


def _section(lines: list[str], scenario: str) -> tuple[int, int] | None:
    """Return the first and last line number of the section whose heading names the scenario."""
    named = re.compile(rf"(?<![\w-]){re.escape(scenario)}(?![\w-])")
    fenced = False
    start = level = None
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if not heading:
            continue
        if start is not None and level is not None and len(heading[1]) <= level:
            return start, number
        if start is None and named.search(line):
            start, level = number, len(heading[1])
    return None if start is None else (start, len(lines))


def _end_of_list(lines: list[str], marker: int, end: int, indent: int, is_heading: bool) -> tuple[int, str]:
    """Return the line number of a list's next item, and its indent."""
    place, prefix = marker + 1, "" if is_heading else " " * (indent + 2)
    for number in range(marker + 1, end):
        line = lines[number]
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if is_heading and _HEADING.match(line):
            break
        if not is_heading and depth <= indent:
            break
        place = number + 1
    return place, prefix
