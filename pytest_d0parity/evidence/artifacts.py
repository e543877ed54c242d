"""The files that a run writes: their names, their folder, and how each is written."""

from __future__ import annotations

import os

from ..util.atomic import write_atomically
from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.text import printable

LOG = "dose_parity_log.json"
DIGEST = "dose_parity_log.md"
PAGE = "dose_parity_report.html"
PICTURES = "pictures.npz"
PROBE_TABLE = "probe_stats.csv"
STAGE_TABLE = "stage_stats.csv"
SUMS = "SHA256SUMS"
STATEMENT = "dose_parity_statement.json"
ATTESTATION = "dose_parity_attestation.json"
LOG_SHA256 = "log_sha256"  # where tables and archives name the log that they tell of


class ReportError(ParityError):
    """An artifact that could not be written."""


def prepare_folder(folder: str) -> None:
    """Make the folder for the artifacts, and check that it can be written to before anything is measured.

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


def write_artifact(path: str, content: bytes) -> None:
    """Write a file atomically.

    Raises
    ------
    ReportError
        If it cannot be written; an older file is then untouched.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise ReportError(f"{printable(path)} cannot be written: {describe_os_error(error)}") from None
