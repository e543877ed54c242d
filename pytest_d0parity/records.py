"""Frozen records as plain dictionaries: one rule for the log, the helpers and the schema."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

__all__ = ["as_dict", "present_when_not_zero"]

_OMIT_ZERO = "present when not zero"


def present_when_not_zero() -> Any:
    """Declare a count that is left out of the written record while it is zero."""
    return field(default=0, metadata={_OMIT_ZERO: True})


def as_dict(record: Any) -> dict[str, Any]:
    """Turn a record into a dictionary of its fields, in their order, one level deep.

    Parameters
    ----------
    record : dataclass instance
        Any record of the log.

    Returns
    -------
    dict
        Without the counts that are `present_when_not_zero` and are zero.
    """
    return {
        item.name: value
        for item in fields(record)
        if (value := getattr(record, item.name)) or _OMIT_ZERO not in item.metadata
    }
