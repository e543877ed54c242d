"""Values as strict JSON."""

from __future__ import annotations

import datetime
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from ..readers.params.placeholders import Placeholder
from ..util.records import as_dict
from ..util.text import non_finite, valid_utf8
from .model import EvidenceLog


def convert_for_json(value: Any) -> Any:
    r"""Convert a value to what strict JSON (RFC 8259) can say.

    Parameters
    ----------
    value : object
        Scalars, NumPy scalars and arrays, containers, records of the log, paths, dates.

    Returns
    -------
    None, bool, int, float, str, list or dict
        NaN and infinities become the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``; complex
        numbers become ``[real, imaginary]``; text that is not valid UTF-8 is escaped.

    Raises
    ------
    TypeError
        For a value of any other type, which it names.

    Examples
    --------
    >>> import numpy as np
    >>> convert_for_json((128, np.float32("nan"), np.arange(2)))
    [128, 'NaN', [0, 1]]
    """
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else non_finite(value)
    if kind is str:
        return valid_utf8(value)
    if kind is dict:
        return {_key(key): convert_for_json(item) for key, item in value.items()}
    if kind is tuple or kind is list:
        return [convert_for_json(item) for item in value]
    if is_dataclass(kind) and kind is not Placeholder:
        return convert_for_json(as_dict(value))
    return _convert_other(value)


def _convert_other(value: Any) -> Any:
    """Convert what is of none of the types that a log is mostly made of."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # of NumPy, which need not be imported for that
        return convert_for_json(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else non_finite(value)
    if isinstance(value, complex):
        return [convert_for_json(value.real), convert_for_json(value.imag)]
    if isinstance(value, str):
        return valid_utf8(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, os.PathLike):
        return convert_for_json(os.fspath(value))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Placeholder):
        return repr(value)
    if isinstance(value, Mapping):
        return {_key(key): convert_for_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [convert_for_json(item) for item in value]
    raise TypeError(f"a value of type {type(value).__qualname__} cannot be recorded in JSON")


def _key(key: Any) -> str:
    return valid_utf8(key) if isinstance(key, str) else str(convert_for_json(key))


def to_json(log: EvidenceLog) -> str:
    """Return a log as strict JSON.

    Returns
    -------
    str
        In the order of the schema: see `json_text`.
    """
    return json_text(log)


# A list of numbers, indented. No text of a JSON file can look like it: it would hold a raw end of line.
_NUMBERS = re.compile(r"\[\n *((?:-?[0-9][^\s,\]]*(?:,\n *)?)+)\n *\]")


def json_text(value: Any) -> str:
    """Write a value as strict JSON, with two spaces of indent, lists of numbers on one line, and a final newline."""
    import msgspec  # slow to import, and not needed where nothing is written

    # The indent is added afterwards: json would do everything in Python for it.
    text = msgspec.json.format(json.dumps(convert_for_json(value), ensure_ascii=False, allow_nan=False), indent=2)
    return _NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n"
