"""Logs read, for scripts and notebooks."""

from __future__ import annotations

import os

from ..evidence.model import EvidenceLog
from .source import log_in, read_source


def read_log(path: str | os.PathLike[str]) -> EvidenceLog:
    """Read an evidence log.

    Parameters
    ----------
    path : path
        The JSON file, of any schema version; a folder or a bundle that holds one; or ``-``, standard input.

    Returns
    -------
    EvidenceLog
        Its fields are the keys of the JSON. `columns` gives the values of the datasets as columns; a notebook shows
        it as a table.

    Raises
    ------
    ParityError
        If it cannot be read, or is no evidence log.
    """
    given = os.fspath(path)
    return read_source(log_in(given) or given).log
