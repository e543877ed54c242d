"""The machine's result made plain: a bounded tree, nothing shared, nothing cyclic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from .placeholders import ArrayShell, DtypeShell, Global, Placeholder, Refusal, Thing, TupleKey

_MAX_KEYS = 10_000  # of one dictionary or set
_MAX_TUPLE_KEYS = 5_000  # of all together: tuples can be made to hash alike
_MAX_DEPTH = 64
_MAX_NODES = 1_000_000  # values of the expanded tree; sharing lets a small file name very many
_MAX_TEXT = 64 << 20  # characters and bytes of the expanded tree
_MAX_OPAQUE_NODES = 100_000  # the same for the arguments of one placeholder, and of those inside it
_MAX_OPAQUE_TEXT = 4 << 20
_MAX_OPAQUE = 20  # so many placeholders may be that large


def plain_values(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn the machine's result into a tree of plain values.

    Parameters
    ----------
    params : dict
        The top level, with text keys.

    Returns
    -------
    values : dict
        Scalars, containers, arrays and placeholders. A placeholder that was made of one array is
        that array.
    recovered : dict of str to str
        For each key, the name of the placeholder that its value was recovered from.

    Raises
    ------
    Refusal
        If plain containers are cyclic, too deep or too large.
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


class _TooMuch(Exception):  # noqa: N818 - never leaves this module
    """A placeholder's arguments exceed a cap."""


class _Expansion:
    def __init__(self) -> None:
        self.recovered_from: str | None = None
        self._nodes = _MAX_NODES
        self._text = _MAX_TEXT
        self._tuple_keys = _MAX_TUPLE_KEYS
        self._opaque_nodes = self._opaque_text = 0  # what is left to the current placeholder
        self._all_opaque_nodes = _MAX_OPAQUE * _MAX_OPAQUE_NODES
        self._all_opaque_text = _MAX_OPAQUE * _MAX_OPAQUE_TEXT
        self._opaque = 0  # how many placeholders enclose the current value
        self._path: set[int] = set()
        # By identity. The thing is kept beside its placeholder, so that its id stays its own.
        self._finished: dict[int, tuple[Thing, Placeholder]] = {}
        self._array_of: dict[int, Any] = {}

    def value(self, value: Any, depth: int) -> Any:
        self._charge(value, depth)
        match value:
            case DtypeShell(dtype=np.dtype() as dtype):
                return dtype
            case ArrayShell(array=np.ndarray() as array):
                return array
            case Thing():
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
        return Placeholder(key.qualname) if isinstance(key, Thing | Global) else key

    def _placeholder(self, thing: Thing, depth: int) -> Placeholder:
        if id(thing) in self._finished:
            return self._finished[id(thing)][1]
        if id(thing) in self._path:
            return Placeholder(thing.qualname)  # an object that refers to itself
        if not self._opaque:
            self._opaque_nodes = min(_MAX_OPAQUE_NODES, self._all_opaque_nodes)
            self._opaque_text = min(_MAX_OPAQUE_TEXT, self._all_opaque_text)
        self._path.add(id(thing))
        self._opaque += 1
        try:
            arguments = tuple(self.value(part, depth + 1) for part in thing.parts)
        except _TooMuch:
            # Not kept: in a place less deep there may be room for it.
            return Placeholder(thing.qualname, (Placeholder("too large to show"),))
        finally:
            self._opaque -= 1
            self._path.discard(id(thing))
        placeholder = Placeholder(thing.qualname, arguments)
        self._finished[id(thing)] = thing, placeholder
        arrays = {id(array): array for array in self._arrays(_call_arguments(thing, arguments))}
        if len(arrays) == 1:
            (self._array_of[id(placeholder)],) = arrays.values()
        return placeholder

    def _arrays(self, arguments: Iterable[Any]) -> Iterable[Any]:
        """Arrays and NumPy scalars among arguments, also those that stand for an object."""
        for argument in arguments:
            array = self._array_of.get(id(argument), argument)
            if isinstance(array, np.ndarray | np.generic):
                yield array

    def _recovered(self, placeholder: Placeholder) -> Any:
        """Put the one array that a placeholder was made of in its place."""
        if self._opaque or id(placeholder) not in self._array_of:
            return placeholder
        self.recovered_from = placeholder.qualname
        return self._array_of[id(placeholder)]

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


def _call_arguments(thing: Thing, arguments: tuple[Any, ...]) -> list[Any]:
    """List what an object would have been called with, by position or by name."""
    found = list(arguments[: thing.shown_as])
    if thing.is_partial:
        for state in arguments[thing.shown_as :]:
            if type(state) is tuple and len(state) >= 3:
                found += [item for item in state[1:3] if type(item) is dict]
                found += state[1] if type(state[1]) is tuple else ()
    for keywords in [item for item in found if type(item) is dict]:
        found += keywords.values()
    return found
