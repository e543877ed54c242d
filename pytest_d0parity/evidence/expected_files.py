"""What is said of files: by a log of its datasets, and by the manifests of a bundle of all that is in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from ..util.text import printable
from .file import LogError, LogFile

THE_LOG = "the log"

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ExpectedFile:
    """What is said of one file.

    Attributes
    ----------
    name : str
        Its path from the top, as the log or the manifest spells it.
    hashes : mapping of str to str
        Its SHA-256, by who says so.
    size_bytes : int or None
    kind : str
        A dataset and the params have values as well, which the log holds.
    refusal : str
        Why the file is not even looked for, in words.
    """

    name: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int | None = None
    kind: Literal["dataset", "params", "other"] = "other"
    refusal: str = ""

    def contradicted_by(self, sha256: str) -> list[str]:
        """Tell who says another hash."""
        return [who for who, expected in self.hashes.items() if expected != sha256]


def is_sha256(value: object) -> TypeGuard[str]:
    """Whether a value is 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def expected_datasets(log: LogFile, folder: str = "") -> list[ExpectedFile]:
    """Take out of a log what it says of its datasets.

    Parameters
    ----------
    log : LogFile
    folder : str
        Where the datasets lie below the top: ``data/datasets/``, say.

    Returns
    -------
    list of ExpectedFile
        One for each dataset. A name that is more than the plain name of a file is never looked for.

    Raises
    ------
    LogError
        If the log does not list its datasets as logs do.
    """
    entries = log.content.get("datasets")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LogError(f"log {printable(log.path)} is no evidence log: it has no list of 'datasets'")
    expected_files: dict[str, ExpectedFile] = {}
    for number, entry in enumerate(entries):
        name = entry.get("filename")
        if not isinstance(name, str) or name in expected_files:
            fault = f"is {printable(name)!r} once more" if isinstance(name, str) else "has no filename"
            raise LogError(f"log {printable(log.path)} is no evidence log: datasets[{number}] {fault}")
        expected_files[name] = _of_dataset(name, entry, folder)
    return list(expected_files.values())


def expected_params(log: LogFile, name: str) -> list[ExpectedFile]:
    """Take out of a log what it says of the params file; nothing where it was made without one.

    Parameters
    ----------
    log : LogFile
    name : str
        What the file is called where it is looked for.
    """
    metadata = log.metadata
    if metadata.get("baseline_params") is None:
        return []
    sha256 = metadata.get("params_sha256")
    return [ExpectedFile(name=name, hashes={THE_LOG: sha256} if is_sha256(sha256) else {}, kind="params")]


def expected_reference(log: LogFile, name: str) -> list[ExpectedFile]:
    """Take out of a log what it says of the log that it was compared with; nothing where it was not."""
    reference = log.content.get("reference")
    if not isinstance(reference, dict):
        return []
    sha256 = reference.get("sha256")
    return [ExpectedFile(name=name, hashes={THE_LOG: sha256} if is_sha256(sha256) else {})]


def _of_dataset(name: str, entry: Mapping[str, Any], folder: str) -> ExpectedFile:
    sha256, size = entry.get("sha256"), entry.get("size_bytes")
    refusal = ""
    if name in ("", ".", "..") or os.path.basename(name) != name or "/" in name or "\0" in name:
        refusal = "the log gives it a path where the name of a file is expected, and no path from a log is followed"
    elif not is_sha256(sha256):
        refusal = "the log holds no SHA-256 of it, as 64 lower-case hexadecimal digits"
    elif size is not None and type(size) is not int:
        refusal = f"the log gives {size!r} for its size"
    return ExpectedFile(
        name=folder + name,
        hashes={} if refusal else {THE_LOG: str(sha256)},
        size_bytes=size if type(size) is int else None,
        kind="dataset",
        refusal=refusal,
    )


def _path_in_log(log: LogFile, path: object, what: str, option: str) -> str:
    """Give a path that a log names, if it may be followed from the current folder.

    Parameters
    ----------
    log : LogFile
    path : object
        As it stands in the log.
    what : str
        What it is the path of, for messages.
    option : str
        By which the user can name a path himself.

    Returns
    -------
    str
        A relative path that stays below the current folder, links and all.

    Raises
    ------
    LogError
        If it is none, or leads elsewhere: what a log says is data, from whoever wrote it.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise LogError(f"log {printable(log.path)} names no {what}; name it by {option}")
    here = os.path.realpath("")
    outside = os.path.commonpath([here, os.path.realpath(path)]) != here
    if outside or os.path.isabs(path) or ".." in path.replace("\\", "/").split("/"):
        raise LogError(
            f"log {printable(log.path)} names {printable(path)} as its {what}; a path from a log is not followed out "
            f"of the current folder: name it yourself, by {option}"
        )
    return path


def root_of_log(log: LogFile, given: str | None) -> str:
    """Give the folder of the datasets: the one that the user names, or the one in the log.

    Raises
    ------
    LogError
        If it cannot be the one in the log.
    """
    return given or _path_in_log(log, log.metadata.get("dataset_root"), "dataset root", "--dataset-root")


def params_of_log(log: LogFile, given: str | None) -> str | None:
    """Give the params file in the same way; None where the log was made without.

    Raises
    ------
    LogError
        If it cannot be the one in the log, or the user names one of which the log says nothing.
    """
    expected_files = expected_params(log, "")
    if expected_files:
        return given or _hashed_path_in_log(
            log, expected_files, log.metadata["baseline_params"], "params file", "--baseline-params"
        )
    if given:
        raise LogError(f"log {printable(log.path)} was made without params; leave --baseline-params out")
    return None


def reference_of_log(log: LogFile, given: str | None) -> str | None:
    """Give the log that a log was compared with in the same way; None where it was compared with nothing.

    Raises
    ------
    LogError
        If it cannot be the one in the log, or the user names one of which the log says nothing.
    """
    expected_files = expected_reference(log, "")
    if expected_files:
        return given or _hashed_path_in_log(
            log, expected_files, log.content["reference"].get("path"), "reference", "--reference"
        )
    if given:
        raise LogError(f"log {printable(log.path)} was compared with nothing; leave --reference out")
    return None


def _hashed_path_in_log(log: LogFile, expected_files: list[ExpectedFile], path: object, what: str, option: str) -> str:
    """Give a path that a log names, if the log also says what must be there; whoever wrote it might want any file."""
    if not any(expected_file.hashes for expected_file in expected_files):
        raise LogError(f"log {printable(log.path)} holds no SHA-256 of its {what}; name the file by {option}")
    return _path_in_log(log, path, what, option)
