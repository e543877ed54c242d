"""Differences as the rows of a table, in plain text and in Markdown."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..evidence.dataset import Scalar
from ..evidence.drift import Difference
from ..evidence.encoding import convert_for_json
from ..util.files import is_sha256
from ..util.markdown import table
from ..util.text import counted, printable, quoted

_ROWS = 20  # shown of each kind; the count is of all


_TEXT = 28  # characters of a text in a table


_COLUMNS = ("value", "reference", "observed", "difference", "allowed", "times allowed")
_MAY_GO = ("times allowed", "allowed")  # of the columns, where there is no room


def difference_table(differences: Sequence[Difference], prefix: str = "") -> str:
    """Return a table in plain text, of the first 20 differences if there are more.

    Parameters
    ----------
    prefix : str
        Left out at the beginning of the names, where all are about one dataset.
    """
    rows = merged(differences)
    groups = _grouped(rows[:_ROWS], prefix)
    # A difference in standard errors says more than what it is from.
    may_go = (*_MAY_GO, "difference" if all(each.sigma is None for each in differences) else "reference")
    for left_out in range(len(may_go) + 1):  # as few as it takes to fit
        columns = [column for column in _COLUMNS if column not in may_go[:left_out]]
        table = _drawn(groups, columns)
        if max(map(len, table), default=0) <= _width():
            break
    return "\n".join([*table, *_more_rows_line(rows)])


def _grouped(rows: Sequence[Difference], prefix: str) -> dict[str, list[list[str]]]:
    """Return the cells of rows by their dataset, in the order of the first of each; those beside datasets by ""."""
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        dataset, colon, name = row.where.removeprefix(prefix).rpartition(":")
        cells = difference_cells(row, prefix)
        groups.setdefault(dataset, []).append([f"  {quoted(name)}", *cells[1:]] if colon else cells)
    return groups


def _drawn(groups: Mapping[str, Sequence[Sequence[str]]], columns: Sequence[str]) -> list[str]:
    """Return the lines of a table, with the name of a dataset above its rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, justify="left" if column == "value" else "right", no_wrap=True)
    headings = []
    for dataset, rows in groups.items():
        if dataset:
            headings.append((len(grid.rows), f"{quoted(dataset)}:"))
            grid.add_row(Text(""))
        for cells in rows:
            grid.add_row(*(Text(cell) for name, cell in zip(_COLUMNS, cells, strict=True) if name in columns))
    console = Console(file=io.StringIO(), width=10_000, color_system=None)
    with console.capture() as capture:
        console.print(grid)
    lines = [line.rstrip() for line in capture.get().rstrip().splitlines()]
    for number, heading in headings:
        lines[number + 1] = heading
    return lines


def _width() -> int:
    """Return how wide a table may be: as wide as the terminal, or as it needs where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000


def difference_markdown(differences: Sequence[Difference], most: int = _ROWS) -> str:
    """Return a table in Markdown, of so many rows at most: see `difference_table`."""
    rows = merged(differences)
    cells = [difference_cells(difference) for difference in rows[:most]]
    return "\n\n".join([table(_COLUMNS, cells), *_more_rows_line(rows, most)])


def merged(differences: Sequence[Difference]) -> list[Difference]:
    """Join the rows of the grouped stage that are all the same number, as in a sweep of one scan."""
    alike: dict[tuple[object, ...], list[Difference]] = {}
    for number, each in enumerate(differences):
        dataset, _, name = each.where.rpartition(":")
        is_grouped = name.startswith("grouped.") and isinstance(each.expected, float)
        key = (dataset, each.verdict, each.expected, each.observed) if is_grouped else (number,)
        alike.setdefault(key, []).append(each)
    return [rows[0] if len(rows) == 1 else _joined(rows) for rows in alike.values()]


def _joined(rows: Sequence[Difference]) -> Difference:
    group = rows[0].where.rpartition(".")[0]
    return replace(rows[0], where=f"{group}.* ({len(rows)} alike)")


def _more_rows_line(differences: Sequence[Difference], most: int = _ROWS) -> list[str]:
    more = len(differences) - most
    return [f"... and {counted(more, 'more row')}."] if more > 0 else []


def difference_cells(difference: Difference, prefix: str = "") -> list[str]:
    """Return the cells of a row: value, reference, observed, difference, allowed, times allowed."""
    return [
        quoted(difference.where.removeprefix(prefix)),
        *_both_values(difference.expected, difference.observed),
        _signed_difference(difference),
        difference.threshold,
        "-" if difference.distance in (None, math.inf) else f"{difference.distance:.3g}",
    ]


def _both_values(expected: Scalar, observed: Scalar) -> tuple[str, str]:
    """Return both values, with as many digits as it takes to distinguish them."""
    is_text = [isinstance(value, str) for value in (expected, observed)]
    if is_text[0] != is_text[1] and _looks_like_a_number(expected if is_text[0] else observed):
        return _as_json(expected), _as_json(observed)
    if is_sha256(expected) and is_sha256(observed):
        expected, observed = str(expected), str(observed)
        return next((expected[:n], observed[:n]) for n in (12, 64) if n == 64 or expected[:n] != observed[:n])
    for told in (_rounded, _with_all_digits, _as_json):
        pair = told(expected), told(observed)
        if pair[0] != pair[1]:
            break
    return pair


def _looks_like_a_number(text: Scalar) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def _rounded(value: Scalar) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.8g}"
    text = _with_all_digits(value)
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..."


def _with_all_digits(value: Scalar) -> str:
    if isinstance(value, str):
        return printable(value)
    return _as_json(value).strip('"')


def _as_json(value: Scalar) -> str:
    return json.dumps(convert_for_json(value), ensure_ascii=False)


def _signed_difference(difference: Difference) -> str:
    expected: Any = difference.expected
    observed: Any = difference.observed
    try:
        if difference.distance is None and not isinstance(expected, int | float):
            return "-"
        if isinstance(expected, bool) or isinstance(observed, bool):
            return "-"
        sigma = difference.sigma
        errors = f" ({sigma:+.1f} sigma)" if sigma is not None and math.isfinite(sigma) else ""
        return f"{observed - expected:+.4g}{errors}"
    # Integers beyond all floats, or in an edited log a distance between texts.
    except (OverflowError, TypeError):
        return "-"
