"""The metadata that today's programs write into an NPZ file: a JSON text, read to its leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..util.text import listed, valid_utf8

NAMES = ("_metadata", "metadata_json")  # of the arrays that hold it
MAX_TEXT = 4 << 20  # characters
_MAX_LEAVES = 10_000
_MAX_NAME = 4096  # characters
_MAX_VALUE = 4096  # characters of a text

_MAX_BITS = 63

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Metadata:
    """What a JSON text holds.

    Attributes
    ----------
    values : dict of str to scalar
        Its leaves by dotted names; lists are counted from 0.
    remarks : tuple of str
        What could not be read or taken over, in sentences that follow the name of the array.
    """

    values: dict[str, Scalar]
    remarks: tuple[str, ...] = ()


def parse_metadata(text: str) -> Metadata:
    """Read metadata from a JSON text. What is no JSON object is told in a remark."""
    if len(text) > MAX_TEXT:
        return Metadata({}, (f"is a text of {len(text):,} characters; at most {MAX_TEXT:,} are read as metadata",))
    twice: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name, value in pairs:
            if name in content:
                twice.append(name)
            content.setdefault(name, value)
        return content

    try:
        content = json.loads(text, object_pairs_hook=unique)
        if isinstance(content, dict):
            return _flat(content, twice)
        reason = "is JSON, but no object"
    except json.JSONDecodeError as error:
        reason = f"is no JSON (line {error.lineno}, column {error.colno}: {error.msg})"
    except RecursionError:
        reason = "is nested too deeply"
    except ValueError as error:  # an integer of too many digits
        reason = f"cannot be read ({error})"
    return Metadata({}, (f"{reason}; it is recorded as text",))


def _flat(content: dict[str, Any], twice: list[str]) -> Metadata:
    values: dict[str, Scalar] = {}
    left_out = 0
    for name, value in _leaves("", content):
        if name in values:
            twice.append(name)
        elif len(values) >= _MAX_LEAVES or len(name) > _MAX_NAME:
            left_out += 1
        else:
            values[valid_utf8(name)] = _scalar(value)
    remarks = []
    if twice:
        remarks.append(f"says these twice, of which the first counts: {listed([*dict.fromkeys(twice)], 3)}")
    if left_out:
        remarks.append(f"holds more than {_MAX_LEAVES:,} values, or very long names; {left_out:,} are not recorded")
    return Metadata(values, tuple(remarks))


def _scalar(value: Scalar) -> Scalar:
    """Return a value as a log can hold it: a long text is cut, and an integer of more than 64 bits is a text."""
    if isinstance(value, str):
        return valid_utf8(value if len(value) <= _MAX_VALUE else f"{value[:_MAX_VALUE]}…")
    return str(value) if isinstance(value, int) and value.bit_length() > _MAX_BITS else value


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    """Yield the dotted name and value of each leaf; an empty list or object is the text ``[]`` or ``{}``."""
    if not isinstance(value, dict | list) or len(prefix) > _MAX_NAME:
        yield prefix, None if isinstance(value, dict | list) else value
        return
    if not value:
        yield prefix, "{}" if isinstance(value, dict) else "[]"
    items = value.items() if isinstance(value, dict) else ((str(at), item) for at, item in enumerate(value))
    for name, item in items:
        yield from _leaves(f"{prefix}.{name}" if prefix else name, item)
