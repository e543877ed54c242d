"""Nested settings (of params, or of metadata) as leaves with dotted names."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ...util.text import counted, valid_utf8
from .placeholders import OpaqueObject, TupleKey

MAX_LEAVES = 10_000
MAX_TEXT = 4096  # characters of a name, and of a text that is kept as it is
_SHOWN = 200  # characters of a longer text
MAX_DEPTH = 64  # of nested containers
MAX_VISITED = 1_000_000  # leaves that are counted: containers that dill has built may share or hold each other
_MAX_BYTES = 4 << 20  # that are taken for a text
_MAX_BITS = 63  # of an integer; a larger one is kept as text
_TOO_DEEP = object()


@dataclass(frozen=True)
class Leaves:
    """The leaves of nested settings.

    Attributes
    ----------
    values : dict
        By dotted names; lists are counted from 0. Numbers, texts, flags and None as they are, arrays and placeholders
        too; an empty list or mapping is the text ``[]`` or ``{}``. The second of two with one name is called
        ``name (2)``, or by the next number that is free.
    twice : tuple of str
        The names that occurred more than once.
    left_out : int
        How many are not among the values: of more than 10,000 the last ones, those with very long names, and
        containers that are nested more than 64 deep. More than 1,000,000 are not counted.
    """

    values: dict[str, Any]
    twice: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def left_out_text(self) -> str:
        """How many are left out, in words: ``12 values``, or at least so many where not all were counted."""
        at_least = "at least " if len(self.values) + self.left_out >= MAX_VISITED else ""
        return f"{at_least}{counted(self.left_out, 'value')}"


def leaves_of(settings: Mapping[Any, Any]) -> Leaves:
    """Return the leaves of nested mappings and lists."""
    values: dict[str, Any] = {}
    counts: dict[str, int] = {}  # of the names that occurred more than once
    left_out = 0
    for name, value in islice(_leaves("", settings, 0), MAX_VISITED):
        if len(values) >= MAX_LEAVES or len(name) > MAX_TEXT or value is _TOO_DEEP:
            left_out += 1
            continue
        free = name
        while free in values:
            counts[name] = counts.get(name, 1) + 1
            free = f"{name} ({counts[name]})"
        values[free] = value
    return Leaves(values, tuple(counts), left_out)


def below(prefix: str, key: Any) -> str:
    """Return the dotted name of an entry."""
    return f"{prefix}.{key_text(key)}" if prefix else key_text(key)


def key_text(key: Any) -> str:
    """Return a key of a mapping as text."""
    if isinstance(key, TupleKey):
        key = key.value
    if isinstance(key, OpaqueObject):
        return key.qualname
    return valid_utf8(key) if isinstance(key, str) else valid_utf8(str(key))


def _leaves(prefix: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    items = None if len(prefix) > MAX_TEXT else _items(value)
    if items is None:
        yield prefix, _leaf(value)
    elif depth >= MAX_DEPTH:
        yield prefix, _TOO_DEEP
    else:
        for key, item in items:
            yield from _leaves(below(prefix, key), item, depth + 1)


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the entries of a container; None for a leaf."""
    if isinstance(value, Mapping):
        return value.items() or None
    if isinstance(value, list | tuple | deque):
        return enumerate(value) if value else None
    if isinstance(value, set | frozenset):
        return enumerate(sorted(value, key=lambda item: (type(item).__name__, repr(item)))) if value else None
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 and value.dtype.kind == "c":
        value = complex(value)
    if isinstance(value, complex):
        return ("real", value.real), ("imag", value.imag)
    return None


def _leaf(value: Any) -> Any:
    """Return a value as a number, text, flag or None where it is one, in whatever form."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        kind = value.dtype.kind
        if kind in "mM":
            return str(value)
        return _leaf(np.asarray(value, np.float64 if kind == "f" else None)[()].item()) if kind in "biufUS" else value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _MAX_BITS:
        return _text(hex(value) if value.bit_length() > MAX_TEXT else str(value))
    if isinstance(value, bytes | bytearray):
        if len(value) > _MAX_BYTES:
            return f"{len(value):,} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}"
        return _text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta | datetime.tzinfo | range | slice | np.dtype):
        return str(value)
    if isinstance(value, os.PathLike):
        return _text(os.fspath(value))
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple | deque | set | frozenset):
        return "[]"
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Return a text as it is; of a long one the beginning, its length and its hash."""
    text = valid_utf8(text)
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:_SHOWN]}… ({len(text):,} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()})"
