"""A log as a table: a column for each value, a row for each dataset; and tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ..util.records import ABSENT
from ..util.text import printable

if TYPE_CHECKING:
    from .dataset import Dataset
    from .model import EvidenceLog

_FIRST = ("filename", "photon_dose", "photons.per_pattern", "raw.mean", "raw.std", "raw.p99", "probe.l2_norm", "sha256")
_NOT_SHOWN = frozenset({"histograms", "scans", "standard_errors", "problems", "roles", "path"})
_WITHOUT_NAME = frozenset({"stats"})  # a group whose name stands before no value


def columns_of(log: EvidenceLog) -> dict[str, list[Any]]:
    """Return the values of the datasets by their dotted names, each as a list with an entry for each dataset.

    A value that a dataset does not have is None. Any library of tables takes it: ``pandas.DataFrame(log.columns())``.
    """
    rows = [dict(_values(dataset)) for dataset in log.datasets]
    names = dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]) if rows else {}
    return {name: [row.get(name) for row in rows] for name in names if any(name in row for row in rows)}


def _values(dataset: Dataset) -> Iterator[tuple[str, Any]]:
    for item in fields(dataset):
        if item.name not in _NOT_SHOWN:
            prefix = "" if item.name in _WITHOUT_NAME else item.name
            yield from _leaves(prefix, getattr(dataset, item.name))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is ABSENT or value is None:
        return
    if is_dataclass(value):
        for item in fields(value):
            yield from _leaves(f"{name}.{item.name}".lstrip("."), getattr(value, item.name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    else:
        yield name, "x".join(map(str, value)) if name.endswith(".shape") else value


def html_of(log: EvidenceLog) -> str:
    """Return a log as HTML for a notebook: what it is, and the first columns of its datasets."""
    columns = columns_of(log)
    names = [name for name in _FIRST if name in columns]
    rows: Sequence[Sequence[Any]] = [*zip(*(columns[name] for name in names), strict=True)]
    short = [
        [value[:12] if name == "sha256" else value for name, value in zip(names, row, strict=True)] for row in rows
    ]
    return html_table(repr(log), names, short)


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], most: int = 60) -> str:
    """Return a table as HTML, in which no text from a file can act as markup.

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
