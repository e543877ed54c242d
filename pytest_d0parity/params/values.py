"""What the stack machine works with, and how its work becomes plain, bounded values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_KEYS",
    "ArrayShell",
    "DtypeShell",
    "Global",
    "Placeholder",
    "Refusal",
    "Thing",
    "is_scalar",
    "plain_values",
]

MAX_KEYS = 10_000  # of one dictionary or set
_MAX_DEPTH = 64
_MAX_NODES = 1_000_000  # values of the expanded tree; sharing lets a small file name very many
_MAX_TEXT = 64 << 20  # characters and bytes of the expanded tree
_MAX_OPAQUE_NODES = 100_000  # the same for the arguments of one placeholder, and of those inside it
_MAX_OPAQUE_TEXT = 4 << 20
_MAX_OPAQUE = 20  # so many placeholders may be that large
_MAX_NAME = 200
_MAX_KEY_BITS = 60  # larger integers hash alike at will


class Refusal(ValueError):  # noqa: N818 - what it is, in the words of the design
    """Why a file cannot be read; the reader adds its name."""


@dataclass(frozen=True, eq=False)
class Placeholder:
    """Something in a params file that would have been code, kept as a name and inert arguments.

    Attributes
    ----------
    qualname : str
        ``module.qualname`` of what the file wanted to call, or a short description.
    arguments : tuple
        What it would have been called with, and its state; plain values and other placeholders.
    """

    qualname: str
    arguments: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.qualname}>"


@dataclass(frozen=True, eq=False)
class Global:
    """A name in the file: two strings, never looked up."""

    module: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """What decoders are found by."""
        return self.module, self.name

    @property
    def qualname(self) -> str:
        """Printable, and short."""
        text = f"{self.module}.{self.name}"
        text = text if len(text) <= _MAX_NAME else text[:_MAX_NAME] + "…"
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@dataclass(eq=False)
class Thing:
    """An object that the machine does not understand, while it is being built."""

    qualname: str
    parts: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class DtypeShell(Thing):
    """A dtype; its state tells the byte order. None when that state is not a plain dtype's."""

    dtype: np.dtype[Any] | None = None


@dataclass(eq=False)
class ArrayShell(Thing):
    """An array; its state brings shape, dtype and bytes. None until then."""

    array: NDArray[Any] | None = None


def is_scalar(value: Any) -> bool:
    """Whether a value is cheap to hash, compare and format, and hard to make collide."""
    if type(value) is int:
        return value.bit_length() <= _MAX_KEY_BITS
    return value is None or type(value) in (bool, float, str, bytes)


def plain_values(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn the machine's result into a tree of plain values.

    Parameters
    ----------
    params : dict
        The top level, with text keys.

    Returns
    -------
    values : dict
        Scalars, containers, arrays and placeholders; nothing shared, nothing cyclic, all of it
        bounded. A placeholder that was made of one array is that array.
    recovered : dict of str to str
        For each key, the name of the placeholder that its value was recovered from.

    Raises
    ------
    Refusal
        If plain containers are cyclic, too deep or too large.
    """
    _check_keys(params)
    expansion = _Expansion()
    values: dict[str, Any] = {}
    recovered: dict[str, str | None] = {}
    for key, value in params.items():
        expansion.recovered_from = None
        values[key] = expansion.value(value, 1)
        recovered[key] = expansion.recovered_from
    return values, {key: name for key, name in recovered.items() if name is not None}


def _check_keys(container: Any) -> None:
    if len(container) > MAX_KEYS:
        raise Refusal(f"a {type(container).__name__} in it has more than {MAX_KEYS:,} keys")


class _TooMuch(Exception):  # noqa: N818 - never leaves this module
    """A placeholder's arguments exceed a cap."""


class _Expansion:
    def __init__(self) -> None:
        self.recovered_from: str | None = None
        self._nodes = _MAX_NODES
        self._text = _MAX_TEXT
        self._opaque_nodes = self._opaque_text = 0  # what is left to the current placeholder
        self._all_opaque_nodes = _MAX_OPAQUE * _MAX_OPAQUE_NODES
        self._all_opaque_text = _MAX_OPAQUE * _MAX_OPAQUE_TEXT
        self._opaque = 0  # how many placeholders enclose the current value
        self._path: set[int] = set()
        self._finished: dict[int, tuple[Thing, Placeholder]] = {}
        self._recovered: dict[int, Any] = {}

    def value(self, value: Any, depth: int) -> Any:
        self._charge(value, depth)
        match value:
            case DtypeShell(dtype=np.dtype() as dtype):
                return dtype
            case ArrayShell(array=np.ndarray() as array):
                return array
            case Thing():
                placeholder = self._placeholder(value, depth)
                return placeholder if self._opaque else self._recover(placeholder)
            case Global():
                return Placeholder(value.qualname)
            case list() | tuple() | dict() | set() | frozenset():
                if id(value) in self._path:
                    self._overrun("a container in it contains itself")
                self._path.add(id(value))
                try:
                    return self._container(value, depth + 1)
                finally:
                    self._path.discard(id(value))
        return value

    def _container(self, value: Any, depth: int) -> Any:
        if type(value) in (dict, set, frozenset):
            try:
                _check_keys(value)
            except Refusal as refusal:
                self._overrun(str(refusal))
        match value:
            case dict():
                return {self._key(key): self.value(item, depth) for key, item in value.items()}
            case set() | frozenset():
                return type(value)(self._key(item) for item in value)
        return type(value)(self.value(item, depth) for item in value)

    def _key(self, key: Any) -> Any:
        self._charge(key, 0)
        return Placeholder(key.qualname) if isinstance(key, Thing | Global) else key

    def _placeholder(self, thing: Thing, depth: int) -> Placeholder:
        done = self._finished.get(id(thing))
        if done is not None:
            return done[1]
        if id(thing) in self._path:
            return Placeholder(thing.qualname)  # an object that refers to itself
        self._path.add(id(thing))
        if not self._opaque:
            self._opaque_nodes = min(_MAX_OPAQUE_NODES, self._all_opaque_nodes)
            self._opaque_text = min(_MAX_OPAQUE_TEXT, self._all_opaque_text)
        self._opaque += 1
        try:
            placeholder = Placeholder(thing.qualname, tuple(self.value(part, depth + 1) for part in thing.parts))
        except _TooMuch:
            placeholder = Placeholder(thing.qualname, (Placeholder("too large to show"),))
        finally:
            self._opaque -= 1
            self._path.discard(id(thing))
        # The thing is kept beside its placeholder, so that its id stays its own.
        self._finished[id(thing)] = thing, placeholder
        return placeholder

    def _recover(self, placeholder: Placeholder) -> Any:
        """Put the one array that a placeholder was made of in its place."""
        if id(placeholder) not in self._recovered:
            arrays: dict[int, Any] = {}
            _find_arrays(placeholder, arrays, set())
            self._recovered[id(placeholder)] = next(iter(arrays.values())) if len(arrays) == 1 else placeholder
        value = self._recovered[id(placeholder)]
        if value is not placeholder:
            self.recovered_from = placeholder.qualname
        return value

    def _charge(self, value: Any, depth: int) -> None:
        length = len(value) if type(value) in (str, bytes, bytearray) else 0
        if self._opaque:
            self._opaque_nodes -= 1
            self._opaque_text -= length
            self._all_opaque_nodes -= 1
            self._all_opaque_text -= length
            if min(self._opaque_nodes, self._opaque_text) < 0:
                raise _TooMuch
        else:
            self._nodes -= 1
            self._text -= length
        if self._nodes < 0:
            self._overrun(f"it expands to more than {_MAX_NODES:,} values")
        if self._text < 0:
            self._overrun(f"it expands to more than {_MAX_TEXT >> 20} MiB of text")
        if depth > _MAX_DEPTH:
            self._overrun(f"it is nested more than {_MAX_DEPTH} deep")

    def _overrun(self, reason: str) -> NoReturn:
        if self._opaque:
            raise _TooMuch
        raise Refusal(reason)


def _find_arrays(value: Any, found: dict[int, Any], seen: set[int]) -> None:
    """Collect the different arrays and NumPy scalars of a finished, bounded tree."""
    if isinstance(value, np.ndarray | np.generic):
        found[id(value)] = value
    elif isinstance(value, Placeholder):
        if id(value) not in seen:
            seen.add(id(value))
            _find_arrays(value.arguments, found, seen)
    elif type(value) is dict:
        for item in value.values():
            _find_arrays(item, found, seen)
    elif type(value) in (list, tuple):
        for item in value:
            _find_arrays(item, found, seen)
