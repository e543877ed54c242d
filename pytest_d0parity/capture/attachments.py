"""The attachments of a scenario, as the log holds them: hashed, and never opened otherwise."""

from __future__ import annotations

import os

from ..evidence.dataset import Problem
from ..evidence.model import Attachment
from ..scenario.attachments import AttachedFile
from ..scenario.scenario import Scenario
from ..util.files import describe_os_error, open_hashed
from ..util.runtime import available_cores
from ..util.text import printable, valid_utf8


def read_attachments(scenario: Scenario) -> tuple[tuple[Attachment, ...], tuple[Problem, ...]]:
    """Hash the attachments of a scenario.

    Returns
    -------
    attachments : tuple of Attachment
        Those that could be read, in the order given.
    problems : tuple of Problem
        An error for each of the others.
    """
    files = scenario.attached_files
    if not files:
        return (), ()
    from concurrent.futures import ThreadPoolExecutor  # which takes long to import

    with ThreadPoolExecutor(available_cores()) as threads:  # hashing leaves the interpreter to others
        read = [*threads.map(lambda file: _read(file, scenario.attachment_path(file)), files)]
    return (
        tuple(each for each in read if isinstance(each, Attachment)),
        tuple(each for each in read if isinstance(each, Problem)),
    )


def _read(file: AttachedFile, path: str) -> Attachment | Problem:
    try:
        with open_hashed(path) as opened:
            size = os.fstat(opened.fileno()).st_size
            sha256 = opened.sha256()
    except OSError as error:
        message = f"the attachment {printable(file.path)} cannot be read: {describe_os_error(error)}; check the path"
        return Problem(severity="error", name="unreadable", where=f"attachments:{file.name}", message=message)
    return Attachment(name=file.name, role=file.role, path=valid_utf8(file.path), size_bytes=size, sha256=sha256)
