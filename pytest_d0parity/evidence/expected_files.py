"""The files that a log or the manifests of a bundle tell of: their names, sizes and hashes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..util.files import is_sha256
from ..util.records import ABSENT
from ..util.text import printable, quoted, valid_utf8
from .dataset import Dataset
from .file import LogError, LogFile

THE_LOG = "the log"


@dataclass(frozen=True, kw_only=True)
class ExpectedFile:
    """A file that should be there.

    Attributes
    ----------
    name : str
        Its path from the top, as the log or the manifest spells it.
    hashes : mapping of str to str
        Its SHA-256 according to the log and each manifest, by who says so.
    kind : str
        The log holds the values of a ``dataset`` and of the ``params`` as well. An ``attachment`` is never opened.
    refusal : str
        Why the file is not looked for, in words; empty if it is.
    depth : int
        How many parts the name of a dataset has below the folder of the datasets.
    """

    name: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int | None = None
    kind: Literal["dataset", "params", "attachment", "other"] = "other"
    refusal: str = ""
    depth: int = 1

    def contradicted_by(self, sha256: str) -> list[str]:
        """Return who says another hash."""
        return [who for who, expected in self.hashes.items() if expected != sha256]


def expected_datasets(file: LogFile, folder: str = "") -> list[ExpectedFile]:
    """Return what a log says of its datasets, one entry for each.

    Parameters
    ----------
    folder : str
        Where the datasets lie below the top: ``data/datasets/``, say. A name that leaves it is refused, and never
        looked for.
    """
    return [_of_dataset(dataset, folder) for dataset in file.log.datasets]


def expected_params(file: LogFile, name: str) -> list[ExpectedFile]:
    """Return what a log says of the params file; nothing where it was made without one.

    Parameters
    ----------
    name : str
        What the file is called where it is looked for.
    """
    metadata = file.log.metadata
    if metadata.baseline_params in (None, ABSENT):
        return []
    return [ExpectedFile(name=name, hashes=_hashes(metadata.params_sha256), kind="params")]


def expected_attachments(file: LogFile, folder: str) -> list[ExpectedFile]:
    """Return what a log says of its attachments, one entry for each: see `expected_datasets`."""
    return [
        replace(_of_file(each.name, each.sha256, each.size_bytes, folder), kind="attachment")
        for each in file.log.attachments
    ]


def expected_reference(file: LogFile, name: str) -> list[ExpectedFile]:
    """Return what a log says of the log that it was compared with; nothing where it was not."""
    reference = file.log.reference
    return [] if reference is None else [ExpectedFile(name=name, hashes=_hashes(reference.sha256))]


def _hashes(sha256: object) -> dict[str, str]:
    return {THE_LOG: sha256} if is_sha256(sha256) else {}


def _of_dataset(dataset: Dataset, folder: str) -> ExpectedFile:
    size = None if dataset.size_bytes is ABSENT else dataset.size_bytes
    return _of_file(dataset.filename, dataset.sha256, size, folder)


def _of_file(name: str, sha256: object, size: object, folder: str) -> ExpectedFile:
    refusal = ""
    if not _is_below(name):
        refusal = "the log gives it a path that leaves its folder, and such a path is not followed"
    elif not is_sha256(sha256):
        refusal = "the log holds no SHA-256 of it, as 64 lower-case hexadecimal digits"
    elif size is not None and type(size) is not int:
        refusal = f"the log gives {quoted(repr(size))} for its size"
    return ExpectedFile(
        name=folder + name,
        hashes={} if refusal else _hashes(sha256),
        size_bytes=size if type(size) is int else None,
        kind="dataset",
        refusal=refusal,
        depth=name.count("/") + 1,
    )


def _is_below(name: str) -> bool:
    """Whether a relative name, with slashes, stays below the folder that it is relative to."""
    parts = name.replace("\\", "/").split("/") if os.sep == "\\" else name.split("/")
    return not {"", ".", ".."} & {*parts} and "\0" not in name and not os.path.splitdrive(name)[0]


def _path_in_log(file: LogFile, path: object, what: str, option: str) -> str:
    """Return a path that a log names, if it may be followed from the current folder.

    Parameters
    ----------
    path : object
        As it stands in the log.
    what : str
        What the path leads to, for messages.
    option : str
        The option by which users can name a path themselves.

    Returns
    -------
    str
        A relative path that stays below the current folder, also once links are followed.

    Raises
    ------
    LogError
        If it is no path, or leads elsewhere. A log may come from anybody, so its paths are not trusted.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise LogError(f"log {printable(file.path)} names no {what}; name it by {option}")
    here = os.path.realpath("")
    outside = os.path.commonpath([here, os.path.realpath(path)]) != here
    if outside or os.path.isabs(path) or ".." in path.replace("\\", "/").split("/"):
        raise LogError(
            f"log {printable(file.path)} names {printable(path)} as its {what}; a path from a log is not followed out "
            f"of the current folder: name it yourself, by {option}"
        )
    return path


def root_of_log(file: LogFile, given: str | None) -> str:
    """Return the folder of the datasets: the one that the user names, or the one in the log.

    Raises
    ------
    LogError
        If the one in the log may not be followed.
    """
    return given or _path_in_log(file, file.log.metadata.dataset_root, "dataset root", "--dataset-root")


def params_of_log(file: LogFile, given: str | None) -> str | None:
    """Return the params file that the user names, or the one in the log; None if the log was made without.

    Raises
    ------
    LogError
        If the one in the log may not be followed, or the user names one and the log tells of none.
    """
    expected_files = expected_params(file, "")
    if expected_files:
        return given or _hashed_path_in_log(
            file, expected_files, file.log.metadata.baseline_params, "params file", "--baseline-params"
        )
    if given:
        raise LogError(f"log {printable(file.path)} was made without params; leave --baseline-params out")
    return None


def reference_of_log(file: LogFile, given: str | None) -> str | None:
    """Return the reference that the user names, or the one in the log; None if the log was compared with none.

    Raises
    ------
    LogError
        If the one in the log may not be followed, or the user names one and the log tells of none.
    """
    expected_files = expected_reference(file, "")
    if expected_files:
        return given or _hashed_path_in_log(
            file, expected_files, file.log.reference and file.log.reference.path, "reference", "--reference"
        )
    if given:
        raise LogError(f"log {printable(file.path)} was compared with nothing; leave --reference out")
    return None


def attachment_of_log(file: LogFile, name: str, given: Sequence[str]) -> str:
    """Return the path of an attachment: one that the user names, or the one in the log.

    Parameters
    ----------
    given : sequence of str
        Paths that the user names; the one that ends with the name of the attachment is meant.

    Raises
    ------
    LogError
        If the one in the log may not be followed.
    """
    for path in given:
        if valid_utf8(path.replace(os.sep, "/")) == name or valid_utf8(path.replace(os.sep, "/")).endswith(f"/{name}"):
            return path
    path = next(each.path for each in file.log.attachments if each.name == name)
    return _path_in_log(file, path, f"attachment {printable(name)}", "--attach")


def _hashed_path_in_log(file: LogFile, expected_files: list[ExpectedFile], path: object, what: str, option: str) -> str:
    """Return a path that a log names, if it holds the hash as well: otherwise it could make us read any file."""
    if not any(expected_file.hashes for expected_file in expected_files):
        raise LogError(f"log {printable(file.path)} holds no SHA-256 of its {what}; name the file by {option}")
    return _path_in_log(file, path, what, option)
