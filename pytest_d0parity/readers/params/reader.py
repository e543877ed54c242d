"""Reads the params of a baseline run into a dictionary: from a ``params.dill``, a JSON object, or a zip of either.

A dill file is read without executing it, or, if the user trusts it, with dill itself.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, field, replace
from io import FileIO
from typing import Any

import numpy as np

from ...util.errors import ParityError
from ...util.files import LFS_ADVICE, LFS_POINTER, describe_os_error, open_hashed
from ...util.text import printable, quoted
from ..json_object import JsonError, parse_json_object
from .expansion import plain_values
from .instructions import MAX_OPCODES
from .leaves import leaves_of
from .machine import read_pickle
from .placeholders import OpaqueObject, Placeholder, TupleKey, UnreadableError
from .zip_source import find_members, read_member

MAX_FILE = 64 << 20  # bytes
_MAX_JSON = 16 << 20  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXPECTED = "a params.dill, a JSON object, or a zip of either is expected"
_OTHER_FORMATS = {
    LFS_POINTER: f"a Git LFS pointer, not the data: {LFS_ADVICE}",
    b"\x89HDF": "an HDF5 file, such as the weights of a model",
    b"\x93NUMPY": "an array of NumPy",
}


class ParamsError(ParityError, ValueError):
    """A params file cannot be read. The message names the file and the reason."""


@dataclass(frozen=True)
class Params:
    """The parameters of a run.

    Attributes
    ----------
    sha256 : str
        SHA-256 of the file.
    values : dict
        The dictionary in the file: plain Python values, NumPy arrays and scalars, and `Placeholder` for the rest.
    recovered : dict of str to str
        For each key whose value is the only array in an object of an unknown class: the ``module.qualname``
        of that class.
    trusted : bool
        Whether dill itself loaded the file, executing the code in it.
    """

    sha256: str
    values: dict[str, Any]
    recovered: dict[str, str] = field(default_factory=dict)
    trusted: bool = False


def load_params(path: str | os.PathLike[str], trusted: bool = False) -> dict[str, Any]:
    """Load the dictionary in a params file without executing any code in it.

    Parameters
    ----------
    path : path-like
        A pickle of a dictionary with text keys, as dill or pickle write it (protocols 0 to 5); a JSON object; or a zip
        that holds either, as ``params.dill`` or ``config.json``.
    trusted : bool
        Load with dill itself, which imports and executes whatever the file contains.

    Returns
    -------
    dict
        Plain Python values, NumPy arrays and scalars. An object of an unknown class is a `Placeholder`, or,
        where it was made of exactly one array, that array.

    Raises
    ------
    ParamsError
        If the file cannot be read, for any reason.
    """
    return read_params(path, trusted=trusted).values


def read_params(path: str | os.PathLike[str], *, trusted: bool = False, shown_as: str | None = None) -> Params:
    """Load a ``params.dill``, with its hash and how it was read: see `load_params`.

    Parameters
    ----------
    path, trusted
        See `load_params`.
    shown_as : str, optional
        Name of the file in messages; its path by default.

    Raises
    ------
    ParamsError
        If the file cannot be read, for any reason.
    """
    try:
        return _read_file(path, trusted)
    except UnreadableError as error:
        shown_as = os.fsdecode(path) if shown_as is None else shown_as
        raise ParamsError(f"params file {printable(shown_as)} cannot be read: {error}") from None


def _read_file(path: str | os.PathLike[str], trusted: bool) -> Params:
    try:
        with open_hashed(path) as file:
            if not (start := file.read(8) or b""):
                raise UnreadableError("it is empty; copy it again")
            file.seek(0)
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the latter where it holds nothing
                return replace(_read_agreed(file, trusted), sha256=file.sha256())
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                raise UnreadableError(f"it is {size:,} bytes long, and at most {MAX_FILE >> 20} MiB are read")
            data = file.read() or b""
    except OSError as error:
        raise UnreadableError(f"{describe_os_error(error)}; check the path") from None
    except ValueError as error:  # a path with a NUL in it
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(str(error)) from None
    return _read_content(data, trusted, hashlib.sha256(data).hexdigest())


def _read_content(data: bytes, trusted: bool, sha256: str, sharers: int = 1) -> Params:
    """Read a dill file or a JSON object, whichever it is, within the limits that it shares with as many in all."""
    for start, what in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise UnreadableError(f"it is {what}; {_EXPECTED}")
    if data.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"{"):
        return _read_json(data, sha256, _MAX_JSON // sharers)
    try:
        if trusted:
            return Params(sha256, _top_level(_load_with_dill(data)), trusted=True)
        values, recovered = plain_values(_top_level(read_pickle(data, MAX_OPCODES // sharers)))
    except UnreadableError as error:
        reason = f"it looks like text: {_EXPECTED} ({error})" if _is_text(data) else str(error)
        raise UnreadableError(reason) from None
    return Params(sha256, values, recovered)


def _read_json(data: bytes, sha256: str, most: int) -> Params:
    if len(data) > most:
        raise UnreadableError(f"it is JSON of {len(data):,} bytes, and at most {most:,} are read")
    try:
        content, twice = parse_json_object(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UnreadableError("it is no UTF-8 text, as JSON should be") from None
    except JsonError as error:
        raise UnreadableError(f"it {error}") from None
    if twice:
        raise UnreadableError(f"it says '{quoted(twice[0])}' twice, and nobody can say which one is meant")
    values, _ = plain_values(content)  # within the same limits as those of a pickle
    return Params(sha256, values)


def _read_agreed(file: FileIO, trusted: bool) -> Params:
    """Return the params that all members of a zip hold, one of which is in memory at a time.

    Raises
    ------
    UnreadableError
        If one cannot be read, or they do not all say the same.
    """
    members = find_members(file)
    contents = ((info.filename, _read_member(file, info, trusted, len(members))) for info in members)
    first, params = next(contents)
    expected = leaves_of(params.values).values
    for name, other in contents:
        if (key := _first_difference(expected, leaves_of(other.values).values)) is not None:
            raise UnreadableError(f"{quoted(first)} and {quoted(name)} in it do not say the same of {quoted(key)}")
    return params


def _read_member(file: FileIO, info: zipfile.ZipInfo, trusted: bool, sharers: int) -> Params:
    data = read_member(file, info)
    try:
        return _read_content(data, trusted, "", sharers)
    except UnreadableError as error:
        raise UnreadableError(f"{quoted(info.filename)} in it: {error}") from None


def _first_difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    for name in dict.fromkeys([*one, *other]):
        if name not in one or name not in other or not _are_same(one[name], other[name]):
            return name
    return None


def _are_same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return (one.shape, one.dtype) == (other.shape, other.dtype) and one.tobytes() == other.tobytes()
    if isinstance(one, Placeholder) or isinstance(other, Placeholder):
        return repr(one) == repr(other)
    return type(one) is type(other) and (one == other or one != one)


def _is_text(data: bytes) -> bool:
    try:
        return all(each.isprintable() or each.isspace() for each in data[:4096].decode("utf-8", "strict"))
    except UnicodeDecodeError:
        return False


def _top_level(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        kind = getattr(value, "qualname", type(value).__name__)
        raise UnreadableError(f"it holds a {kind}; a dictionary of parameters is expected")
    for key in value:
        if isinstance(key, OpaqueObject) and [*map(type, key.parts)] == [str]:
            raise UnreadableError(f"its dictionary has a key of {len(key.parts[0]):,} characters, which is too long")
        if type(key) is not str:
            kind = key.qualname if isinstance(key, OpaqueObject) else f"a key of type {_type_name(key)}"
            raise UnreadableError(f"its dictionary has {kind}; all keys are expected to be text")
    return value


def _type_name(key: Any) -> str:
    return type(key.value if isinstance(key, TupleKey) else key).__name__


def _load_with_dill(data: bytes) -> Any:
    import dill  # here, since it is slow to import

    try:
        return dill.loads(data)  # noqa: S301 - the user trusts the file
    # The code in the file may raise anything.
    except (Exception, SystemExit) as error:
        raise UnreadableError(f"dill itself fails to load it ({type(error).__name__}: {quoted(error)})") from None
