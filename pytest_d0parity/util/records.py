"""Frozen records as plain dictionaries: one rule for the log, the helpers and the schema."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

SCHEMA_VERSION: Literal[3] = 3

PRESENT_WHEN_NOT_ZERO = frozenset({"nan_count", "inf_count"})


def as_dict(record: Any) -> dict[str, Any]:
    """Turn a record into a dictionary of its fields, in their order, one level deep.

    Parameters
    ----------
    record : dataclass instance
        Any record of the log.

    Returns
    -------
    dict
        Without the counts that are `PRESENT_WHEN_NOT_ZERO` and are zero.
    """
    return {
        item.name: value
        for item in fields(record)
        if (value := getattr(record, item.name)) != 0 or item.name not in PRESENT_WHEN_NOT_ZERO
    }
