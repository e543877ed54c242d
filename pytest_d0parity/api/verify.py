"""Files checked against a log, for scripts and notebooks."""

from __future__ import annotations

import os
from functools import partial

from ..handover.remeasure import Remeasurement
from ..handover.submission import open_submission
from ..handover.verification import Verification
from ..handover.verify import verify as verify_files


def verify(
    log: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    baseline_params: str | os.PathLike[str] | None = None,
) -> Verification:
    """Check that files are those of a log, or that a bundle holds what it says.

    Parameters
    ----------
    log : path
        The evidence log, or a bundle: a folder, ``.tar`` or ``.tar.gz``.
    root : path, optional
        The folder of the files; for a bundle, leave it out.
    baseline_params : path, optional
        The params file, to be checked as well; for a bundle, leave it out.

    Returns
    -------
    Verification
        `verdict`, and an entry of `files` for each file; a notebook shows it as a table. Nothing is written.

    Raises
    ------
    ParityError
        If log, folder or bundle cannot be read.
    """
    folder = None if root is None else os.fspath(root)
    with open_submission(
        os.fspath(log),
        None,
        dataset_root=folder,
        baseline_params=None if baseline_params is None else os.fspath(baseline_params),
        attachments=(),
        limit_datasets=None,
        has_key=False,
    ) as submission:
        look = partial(Remeasurement, submission.file, (), "bytes")
        return verify_files(submission, look)
