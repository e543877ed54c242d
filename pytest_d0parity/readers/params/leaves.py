"""Nested settings (of params, or of metadata) as leaves with dotted names."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...util.text import valid_utf8
from .placeholders import OpaqueObject, TupleKey

MAX_LEAVES = 10_000
MAX_TEXT = 4096  # characters of a name, and of a text that is kept as it is
_SHOWN = 200  # characters of a longer text
_MAX_BYTES = 4 << 20  # that are taken for a text
_MAX_BITS = 63  # of an integer; a larger one is kept as text


@dataclass(frozen=True)
class Leaves:
    """The leaves of nested settings.

    Attributes
    ----------
    values : dict
        By dotted names; lists are counted from 0. Numbers, texts, flags and None as they are, arrays and placeholders
        too; an empty list or mapping is the text ``[]`` or ``{}``. The second of two with one name is called
        ``name (2)``.
    twice : tuple of str
        The names that occurred more than once.
    left_out : int
        How many are not among the values: of more than 10,000 the last ones, and those with very long names.
    """

    values: dict[str, Any]
    twice: tuple[str, ...] = ()
    left_out: int = 0


def leaves_of(settings: Mapping[Any, Any]) -> Leaves:
    """Return the leaves of nested mappings and lists."""
    values: dict[str, Any] = {}
    seen: dict[str, int] = {}
    is_complete = True
    for name, value in _leaves("", settings):
        if len(name) > MAX_TEXT:
            is_complete = False
            continue
        if len(values) == MAX_LEAVES:
            is_complete = False
            break
        seen[name] = seen.get(name, 0) + 1
        values[name if seen[name] == 1 else f"{name} ({seen[name]})"] = value
    left_out = 0 if is_complete else _count(settings) - len(values)
    return Leaves(values, tuple(name for name, count in seen.items() if count > 1), left_out)


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


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    items = None if len(prefix) > MAX_TEXT else _items(value)
    if items is None:
        yield prefix, _leaf(value)
        return
    for key, item in items:
        yield from _leaves(below(prefix, key), item)


def _items(value: Any) -> list[tuple[Any, Any]] | None:
    """Return the entries of a container; None for a leaf."""
    if isinstance(value, Mapping):
        return [*value.items()] or None
    if isinstance(value, list | tuple | deque):
        return [*enumerate(value)] or None
    if isinstance(value, set | frozenset):
        return [*enumerate(sorted(value, key=lambda item: (type(item).__name__, repr(item))))] or None
    if isinstance(value, complex) and not isinstance(value, np.generic):
        return [("real", value.real), ("imag", value.imag)]
    return None


def _count(value: Any) -> int:
    """Return how many leaves there are, without their names, which would take several times as long."""
    if value is None or type(value) in (bool, int, float, str):
        return 1
    if isinstance(value, Mapping):
        return sum(map(_count, value.values())) or 1
    if isinstance(value, list | tuple | deque | set | frozenset):
        return sum(map(_count, value)) or 1
    return 2 if isinstance(value, complex) and not isinstance(value, np.generic) else 1


def _leaf(value: Any) -> Any:
    """Return a value as a number, text, flag or None where it is one, in whatever form."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        kind = value.dtype.kind
        return _leaf(np.asarray(value, np.float64 if kind == "f" else None)[()].item()) if kind in "biufUS" else value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _MAX_BITS:
        return _text(hex(value) if value.bit_length() > MAX_TEXT else str(value))
    if isinstance(value, bytes | bytearray):
        if len(value) > _MAX_BYTES:
            return f"{len(value):,} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}"
        return _text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
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
