"""The files that lie beside a log: whether they are of that log, or of one that another run has made."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping

from ..util.files import open_regular
from ..util.text import listed, printable, valid_utf8
from .artifacts import DIGEST, LOG_SHA256, PAGE, PICTURES, PROBE_TABLE, STAGE_TABLE, STATEMENT, SUMS
from .file import LogFile

_ESCAPED = {"n": "\n", "r": "\r", "\\": "\\"}  # in a line that begins with a backslash


def strangers_beside(file: LogFile) -> str:
    """Return a sentence on the files beside a log that tell of another one, as a kill between two renames leaves them.

    Parameters
    ----------
    file : LogFile
        Its path is where it lies.

    Returns
    -------
    str
        Empty where all are of this log.
    """
    folder = os.path.dirname(file.path)
    names = [name for name in _TELLS if _tells_of(os.path.join(folder, name), file) is False]
    if not names:
        return ""
    are = "is" if len(names) == 1 else "are"
    return (
        f"{printable(folder or '.')} holds files of two runs: {listed(names, len(names))} {are} of another log than "
        f"{printable(os.path.basename(file.path))}"
    )


def is_of_log(path: str, file: LogFile) -> bool:
    """Whether a file that has the name of an artifact tells of a log, and not of another one, or of nothing."""
    return bool(_tells_of(path, file))


def are_sums_of(data: bytes, file: LogFile) -> bool:
    """Whether a ``SHA256SUMS`` tells of the datasets of a log, each with the SHA-256 that the log says."""
    found = [_sum_of_line(line) for line in data.decode("utf-8", "surrogateescape").split("\n") if line]
    datasets = file.log.datasets
    return found == [(each.sha256, valid_utf8(each.filename)) for each in datasets if each.sha256 is not None]


def _tells_of(path: str, file: LogFile) -> bool | None:
    """Whether a file tells of a log; None where it says nothing, as one that is not there, or is damaged."""
    try:
        with open_regular(path) as opened:
            data = opened.read() or b""
    except OSError:  # which whoever reads it says
        return None
    return _TELLS[os.path.basename(path)](data, file)


def _names(data: bytes, file: LogFile) -> bool:
    return file.sha256.encode() in data


def _is_table_of(data: bytes, file: LogFile) -> bool:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8", "replace")))
    return {row.get("log_sha256") for row in rows} <= {file.sha256}


def _sum_of_line(line: str) -> tuple[str, str]:
    """Return the SHA-256 and the name that a line of ``SHA256SUMS`` holds, where coreutils escapes names."""
    sha256, _, name = line.partition("  ")
    if sha256.startswith("\\"):
        name = re.sub(r"\\([nr\\])", lambda escape: _ESCAPED[escape[1]], name)
    return sha256.removeprefix("\\"), valid_utf8(name)


def _are_pictures_of(data: bytes, file: LogFile) -> bool | None:
    import zipfile  # slow to import, and verify does without it where there are no probes

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # A text of NumPy's: four bytes each.
            return file.sha256.encode("utf-32-le") in archive.read(f"{LOG_SHA256}.npy")
    except KeyError:
        return False
    except (ValueError, OSError, zipfile.BadZipFile):
        return None


def _is_statement_of(data: bytes, file: LogFile) -> bool:
    try:
        subjects = json.loads(data)["subject"]
        return any(subject["digest"]["sha256"] == file.sha256 for subject in subjects)
    except (ValueError, KeyError, TypeError):
        return False


_TELLS: Mapping[str, Callable[[bytes, LogFile], bool | None]] = {
    DIGEST: _names,
    PAGE: _names,
    PROBE_TABLE: _is_table_of,
    STAGE_TABLE: _is_table_of,
    SUMS: are_sums_of,
    PICTURES: _are_pictures_of,
    STATEMENT: _is_statement_of,
}
