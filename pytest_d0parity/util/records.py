"""Records of the log as plain dictionaries."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

SCHEMA_VERSION: Literal[3] = 3

PRESENT_WHEN_NOT_ZERO = frozenset({"nan_count", "inf_count"})  # fields that the log leaves out where they are zero


def as_dict(record: Any) -> dict[str, Any]:
    """Return the fields of a record as a dictionary, in their order; nested records stay records.

    Parameters
    ----------
    record : dataclass instance
        Any record of the log.

    Returns
    -------
    dict
        Counts that are `PRESENT_WHEN_NOT_ZERO` are left out where they are zero.
    """
    return {
        item.name: value
        for item in fields(record)
        if (value := getattr(record, item.name)) != 0 or item.name not in PRESENT_WHEN_NOT_ZERO
    }
