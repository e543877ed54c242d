"""Expands the result of the stack machine into a tree of plain values, with limits on its size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from .placeholders import Global, OpaqueObject, Placeholder, TupleKey, UnfinishedArray, UnfinishedDtype, UnreadableError

_MAX_KEYS = 10_000  # of one dictionary or set
_MAX_TUPLE_KEYS = 5_000  # in the whole file: a file may hold many tuples with the same hash
_MAX_DEPTH = 64
_MAX_NODES = 300_000  # values in the expanded tree, which shared containers can make much larger than the file
_MAX_TEXT = 64 << 20  # characters and bytes in the expanded tree
_MAX_OPAQUE_NODES = 25_000  # values in the arguments of one placeholder, including nested ones
_MAX_OPAQUE_TEXT = 4 << 20  # characters and bytes in them
_MAX_OPAQUE = 8  # how many placeholders may have the maximum size
_MAX_PLACEHOLDERS = 50_000


def plain_values(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Expand the result of the stack machine into a tree of plain values.

    Parameters
    ----------
    params : dict
        The top-level dictionary, whose keys are text.

    Returns
    -------
    values : dict
        Scalars, containers, arrays and placeholders. An unknown object with exactly one array among its
        arguments is replaced by that array.
    recovered : dict of str to str
        For each key whose value contains such an array, the name of the unknown object.

    Raises
    ------
    UnreadableError
        If containers are cyclic, nested too deeply or too large.
    """
    expansion = _Expansion()
    expansion.check_keys(params)
    values: dict[str, Any] = {}
    recovered: dict[str, str | None] = {}
    for key, value in params.items():
        expansion.recovered_from = None
        values[key] = expansion.value(value, 1)
        recovered[key] = expansion.recovered_from
    return values, {key: name for key, name in recovered.items() if name is not None}


class _TooLargeError(Exception):
    """The arguments of a placeholder exceed a limit."""


class _Expansion:
    """The expansion of one file, with what is left of each limit.

    Attributes
    ----------
    recovered_from : str or None
        Name of the last unknown object that was replaced by its array.
    """

    def __init__(self) -> None:
        self.recovered_from: str | None = None
        self._nodes = _MAX_NODES
        self._text = _MAX_TEXT
        self._tuple_keys = _MAX_TUPLE_KEYS
        self._placeholders = _MAX_PLACEHOLDERS
        self._opaque_nodes = self._opaque_text = 0  # what is left for the current placeholder
        self._all_opaque_nodes = _MAX_OPAQUE * _MAX_OPAQUE_NODES
        self._all_opaque_text = _MAX_OPAQUE * _MAX_OPAQUE_TEXT
        self._opaque = 0  # how many placeholders enclose the current value
        self._path: set[int] = set()
        # By id of the unknown object, which is kept too, so that its id is not reused.
        self._finished: dict[int, tuple[OpaqueObject, Placeholder]] = {}
        self._array_of: dict[int, Any] = {}

    def value(self, value: Any, depth: int) -> Any:
        """Expand a value."""
        self._charge(value, depth)
        match value:
            case UnfinishedDtype(dtype=np.dtype() as dtype):
                return dtype
            case UnfinishedArray(array=np.ndarray() as array):
                return array
            case OpaqueObject():
                return self._recovered(self._placeholder(value, depth))
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

    def check_keys(self, container: Any) -> None:
        """Refuse a dictionary or set with too many keys."""
        if len(container) > _MAX_KEYS:
            self._overrun(f"a {type(container).__name__} in it has more than {_MAX_KEYS:,} keys")

    def _container(self, value: Any, depth: int) -> Any:
        match value:
            case dict():
                self.check_keys(value)
                return {self._key(key): self.value(item, depth) for key, item in value.items()}
            case set() | frozenset():
                self.check_keys(value)
                return type(value)(self._key(item) for item in value)
        return type(value)(self.value(item, depth) for item in value)

    def _key(self, key: Any) -> Any:
        self._charge(key, 0)
        if isinstance(key, TupleKey):
            self._tuple_keys -= 1
            if self._tuple_keys < 0:
                self._overrun(f"it has more than {_MAX_TUPLE_KEYS:,} keys that are tuples")
            return key.value
        return Placeholder(key.qualname) if isinstance(key, OpaqueObject | Global) else key

    def _placeholder(self, unknown: OpaqueObject, depth: int) -> Placeholder:
        if id(unknown) in self._finished:
            return self._finished[id(unknown)][1]
        if id(unknown) in self._path:
            return Placeholder(unknown.qualname)  # an object that refers to itself
        self._placeholders -= 1
        if self._placeholders < 0:
            self._overrun(f"it holds more than {_MAX_PLACEHOLDERS:,} objects of unknown classes")
        if not self._opaque:
            self._opaque_nodes = min(_MAX_OPAQUE_NODES, self._all_opaque_nodes)
            self._opaque_text = min(_MAX_OPAQUE_TEXT, self._all_opaque_text)
        self._path.add(id(unknown))
        self._opaque += 1
        try:
            arguments = tuple(self.value(part, depth + 1) for part in unknown.parts)
        except _TooLargeError:
            # Not remembered: elsewhere, nested less deeply, it may fit.
            return Placeholder(unknown.qualname, (Placeholder("too large to show"),))
        finally:
            self._opaque -= 1
            self._path.discard(id(unknown))
        placeholder = Placeholder(unknown.qualname, arguments)
        self._finished[id(unknown)] = unknown, placeholder
        arrays = {id(array): array for array in self._arrays(_call_arguments(unknown, arguments))}
        if len(arrays) == 1:
            (self._array_of[id(placeholder)],) = arrays.values()
        return placeholder

    def _arrays(self, arguments: Iterable[Any]) -> Iterable[Any]:
        """Yield the arrays and NumPy scalars among arguments, and the arrays of placeholders among them."""
        for argument in arguments:
            array = self._array_of.get(id(argument), argument)
            if isinstance(array, np.ndarray | np.generic):
                yield array

    def _recovered(self, placeholder: Placeholder) -> Any:
        """Return the only array of a placeholder, if it has one and is not itself inside another placeholder."""
        if self._opaque or id(placeholder) not in self._array_of:
            return placeholder
        self.recovered_from = placeholder.qualname
        return self._array_of[id(placeholder)]

    def _charge(self, value: Any, depth: int) -> None:
        """Subtract a value from what is left of the limits."""
        length = len(value) if type(value) in (str, bytes, bytearray) else 0
        if self._opaque:
            self._opaque_nodes -= 1
            self._opaque_text -= length
            self._all_opaque_nodes -= 1
            self._all_opaque_text -= length
            if min(self._opaque_nodes, self._opaque_text) < 0:
                raise _TooLargeError
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
        """Give up the current placeholder, or outside of placeholders the whole file."""
        if self._opaque:
            raise _TooLargeError
        raise UnreadableError(reason)


def _call_arguments(unknown: OpaqueObject, arguments: tuple[Any, ...]) -> list[Any]:
    """Return the positional and keyword arguments of the call that would have made an object."""
    found = list(arguments[: unknown.n_arguments])
    if unknown.is_partial:
        for state in arguments[unknown.n_arguments :]:
            if type(state) is tuple and len(state) >= 3:
                found += [item for item in state[1:3] if type(item) is dict]
                found += state[1] if type(state[1]) is tuple else ()
    for keywords in [item for item in found if type(item) is dict]:
        found += keywords.values()
    return found
