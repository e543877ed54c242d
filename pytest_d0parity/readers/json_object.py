"""JSON objects that programs write: settings, metrics, metadata."""

from __future__ import annotations

import json
import re
from typing import Any

_MAX_DEPTH = 64  # of nested objects and lists
_MAX_VALUES = 1_000_000
_OPENERS = ",[{"  # a value follows each of these, or nothing
# A text, which may lack its end, or one of these outside of texts.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[,\[{]', re.DOTALL)


class JsonError(ValueError):
    """A text that is no JSON object. The message continues a sentence that begins with its name."""


def parse_json_object(text: str) -> tuple[dict[str, Any], list[str]]:
    """Parse a JSON object; the bare tokens ``NaN`` and ``Infinity`` are numbers.

    Parameters
    ----------
    text : str
        The JSON.

    Returns
    -------
    content : dict
        The second of two entries with one name is called ``name (2)``.
    twice : list of str
        The names that one object says more than once.

    Raises
    ------
    JsonError
        If it is no JSON, or no object, is nested too deeply or holds too many values.
    """
    if _has_too_many_values(text):
        raise JsonError(f"holds more than {_MAX_VALUES:,} values")
    twice: list[str] = []

    def numbered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) == len(pairs):
            return content
        counts: dict[str, int] = {}
        content = {}
        for name, value in pairs:
            counts[name] = counts.get(name, 0) + 1
            content[name if counts[name] == 1 else f"{name} ({counts[name]})"] = value
        twice.extend(name for name, count in counts.items() if count > 1)
        return content

    try:
        content = json.loads(text, object_pairs_hook=numbered)
    except json.JSONDecodeError as error:
        raise JsonError(f"is no JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise JsonError("is nested too deeply") from None
    except ValueError as error:  # an integer of too many digits
        raise JsonError(f"cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise JsonError("is JSON, but no object")
    if _is_too_deep(content):
        raise JsonError("is nested too deeply")
    return content, twice


def _has_too_many_values(text: str) -> bool:
    """Whether more values are in a JSON than are parsed, where each takes a multiple of its text in memory."""
    if sum(map(text.count, _OPENERS)) <= _MAX_VALUES:
        return False
    count = 0
    for token in _TOKEN.finditer(text):
        count += token[0] in _OPENERS
        if count > _MAX_VALUES:
            return True
    return False


def _is_too_deep(content: dict[str, Any]) -> bool:
    """Whether content is nested deeper than is read, be it less than Python's parser allows."""
    level: list[Any] = [content]
    for _ in range(_MAX_DEPTH):
        items = (item for value in level for item in (value.values() if isinstance(value, dict) else value))
        level = [item for item in items if isinstance(item, dict | list)]
    return bool(level)
