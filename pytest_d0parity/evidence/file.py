"""Evidence logs read from files, also those that were written by hand or by an older tool."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ..util.errors import ParityError
from ..util.files import LFS_ADVICE, LFS_POINTER, describe_os_error, open_regular
from ..util.text import printable, quoted, valid_utf8
from .artifacts import LOG
from .decoding import StructureError, decode_log
from .model import SCHEMA_VERSION, EvidenceLog

if TYPE_CHECKING:
    from ..statistics.frames.frame_pictures import FramePictures

_BUNDLE = "it is an archive; of a bundle: d0parity verify"
# What people give in place of a log, by its first bytes, and what takes it.
_OTHER_KINDS = {
    b"PK\x03\x04": "it is a zip, as NPZ files are: give the folder of the datasets to d0parity compare or d0parity log",
    b"\x1f\x8b": _BUNDLE,
    b"<!DOCTYPE html": "it is a page; the log lies beside it: dose_parity_log.json",
    b"# D0 Parity": "it is a digest or a receipt for people; the JSON of the same name lies beside it",
    b"%PDF": "it is a PDF; a log is JSON, and is called dose_parity_log.json",
    b"\x80": "it is a pickle, as params.dill is: give it to d0parity log --baseline-params",
}
_START = 512
_TAR = slice(257, 262)  # where a tar says what it is


class LogError(ParityError, ValueError):
    """An evidence log that cannot be read. The message names the file and the reason."""


@dataclass(frozen=True)
class LogFile:
    """An evidence log as it lies on disk.

    Attributes
    ----------
    path : str
        As given.
    sha256 : str
        Of its bytes.
    log : EvidenceLog
        Its `schema_version` is the file's: 0 for the logs from before there was one.
    frames : dict of str to FramePictures, or None
        The mean patterns, by the SHA-256 of the datasets, of a log that was measured just now; None where it was read,
        and they lie beside it.
    """

    path: str
    sha256: str
    log: EvidenceLog
    frames: Mapping[str, FramePictures] | None = None


def read_log(path: str, shown_as: str | None = None) -> LogFile:
    """Read a log.

    Parameters
    ----------
    path : str
        The JSON file, also of an older schema version, and with the bare tokens ``NaN`` and ``Infinity``.
    shown_as : str, optional
        What to call the file in the record and in messages; its path by default.

    Raises
    ------
    LogError
        If it is not there, is no JSON object, says a key twice, is no evidence log, or has a schema version that is
        newer than `SCHEMA_VERSION`.
    """
    shown_as = path if shown_as is None else shown_as
    try:
        with open_regular(path) as file:
            return parse_log(file.read() or b"", shown_as)
    except OSError as error:
        inside = os.path.join(path, LOG)
        hint = f"name the log in it, {printable(inside)}" if os.path.isfile(inside) else "check the path"
        raise LogError(f"log {printable(shown_as)} cannot be read: {describe_os_error(error)}; {hint}") from None


def parse_log(data: bytes, shown_as: str) -> LogFile:
    """Read a log from the bytes of its file: see `read_log`."""
    try:
        content = parse_object(data)
    except (ValueError, RecursionError) as error:
        raise LogError(f"log {printable(shown_as)} cannot be read: {error}") from None
    if "receipt_version" in content:
        raise LogError(f"{printable(shown_as)} is a receipt: d0parity verify {printable(shown_as)} --log LOG reads it")
    version = content.get("schema_version", 0)
    if type(version) is not int or version < 0:
        raise LogError(
            f"log {printable(shown_as)} cannot be read: its schema_version is {quoted(repr(version))}, not a number"
        )
    if version > SCHEMA_VERSION:
        from ..util.provenance import TOOL  # which takes long to import

        raise LogError(
            f"log {printable(shown_as)} has schema version {version}; this is {TOOL}, which knows up to "
            f"{SCHEMA_VERSION}: upgrade it"
        )
    try:
        log = decode_log(content)
    except StructureError as error:
        raise LogError(f"log {printable(shown_as)} is no evidence log: {error}") from None
    return LogFile(shown_as, hashlib.sha256(data).hexdigest(), replace(log, schema_version=cast(Any, version)))


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object that says no key twice.

    Raises
    ------
    ValueError
        If it is no such object; the message says why.
    RecursionError
        If it is nested too deeply.
    """
    if data.startswith(LFS_POINTER):
        raise ValueError(f"it is a Git LFS pointer, not the file: {LFS_ADVICE}")
    for start, kind in _OTHER_KINDS.items():
        if data[:_START].lstrip().startswith(start):
            raise ValueError(kind)
    if data[_TAR] == b"ustar":
        raise ValueError(_BUNDLE)
    if not data.strip():
        raise ValueError("it is empty; copy it again")
    try:
        content = json.loads(data, object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text; a JSON file is expected") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"it is no JSON, or only a part of it (line {error.lineno}, column {error.colno}: {error.msg})"
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}; a JSON object is expected")
    # JSON can spell lone surrogates, as in file names that are not UTF-8; UTF-8 cannot.
    return _valid(content) if b"\\ud" in data.lower() else content


def _valid(content: Any) -> Any:
    if isinstance(content, dict):
        return _unique([(valid_utf8(name), _valid(value)) for name, value in content.items()])
    if isinstance(content, list):
        return [_valid(value) for value in content]
    return valid_utf8(content) if isinstance(content, str) else content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it says '{quoted(twice)}' twice, and nobody can say which one is meant")
    return content
