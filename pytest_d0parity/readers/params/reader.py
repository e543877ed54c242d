"""Reads ``params.dill`` into a dictionary: without executing it, or, if the user trusts it, with dill itself."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from ...util.errors import ParityError
from ...util.files import LFS_POINTER, describe_os_error, open_regular
from ...util.text import printable
from .expansion import plain_values
from .machine import read_pickle
from .placeholders import OpaqueObject, TupleKey, UnreadableError

MAX_FILE = 64 << 20  # bytes


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
    """Load the dictionary in a ``params.dill`` without executing any code in it.

    Parameters
    ----------
    path : path-like
        A pickle of a dictionary with text keys, as dill or pickle write it (protocols 0 to 5).
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
        data = _read(path)
        sha256 = hashlib.sha256(data).hexdigest()
        if trusted:
            return Params(sha256, _top_level(_load_with_dill(data)), trusted=True)
        values, recovered = plain_values(_top_level(read_pickle(data)))
    except UnreadableError as error:
        shown_as = os.fsdecode(path) if shown_as is None else shown_as
        raise ParamsError(f"params file {printable(shown_as)} cannot be read: {error}") from None
    return Params(sha256, values, recovered)


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open_regular(path) as file:
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
    if not data:
        raise UnreadableError("it is empty; copy it again")
    if data.startswith(LFS_POINTER):
        raise UnreadableError("it is a Git LFS pointer, not the data: run 'git lfs pull'")
    return data


def _top_level(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        kind = getattr(value, "qualname", type(value).__name__)
        raise UnreadableError(f"it holds a {kind}; a dictionary of parameters is expected")
    for key in value:
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
        raise UnreadableError(f"dill itself fails to load it ({type(error).__name__}: {error})") from None
