"""Markdown in GitHub's dialect, in which no text from a file can act as markup."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .text import non_finite, printable


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; an empty text where there are no rows."""
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(map(escape, columns)) + " |", "|" + " --- |" * len(columns), *lines])


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:.6g}" if math.isfinite(value) else non_finite(value)
        case dict():
            return escape("; ".join(f"{key}: {item}" for key, item in value.items())) or "-"
        case list() | tuple():
            return escape(", ".join(map(str, value))) or "-"
    return escape(str(value))


def escape(text: str) -> str:
    """Escape everything that Markdown or HTML would interpret as markup."""
    text = re.sub(r"([\\`*\[\]<>|&~#!$@])", r"\\\1", printable(text))
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    # GitHub turns plain addresses into links.
    return re.sub(r"(?i)(https?|ftp):|www\.", lambda match: match[0][:-1] + "\\" + match[0][-1], text)
