"""Tables for notebooks, in which no text from a file can act as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from .text import printable


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], most: int = 60) -> str:
    """Return a table.

    Parameters
    ----------
    rows : iterable of sequence
        Numbers are rounded to six digits; of more than `most`, the others are counted.
    """
    rows = [*rows]
    head = "".join(f"<th>{_cell(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows[:most])
    left = f"<p>… and {len(rows) - most} more</p>" if len(rows) > most else ""
    return (
        f"<table><caption>{_cell(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(printable(str(value)))
