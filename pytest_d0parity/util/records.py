"""Frozen records as plain dictionaries: one rule for the log, the helpers and the schema."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

PRESENT_WHEN_NOT_ZERO = frozenset({"nan_count", "inf_count"})


class _Absent:
    """A value that a log does not hold; it equals nothing but itself."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"  # one and the same in every process

    def __bool__(self) -> bool:
        return False


ABSENT: Any = _Absent()  # stands in a record for a value that the log it was read from does not hold


def as_dict(record: Any) -> dict[str, Any]:
    """Return the fields of a record as a dictionary, in their order, one level deep.

    Parameters
    ----------
    record : dataclass instance
        Any record of the log.

    Returns
    -------
    dict
        Without what is `ABSENT`, and without the counts that are `PRESENT_WHEN_NOT_ZERO` and are zero.
    """
    values = {item.name: getattr(record, item.name) for item in fields(record)}
    return {
        name: value
        for name, value in values.items()
        if value is not ABSENT and (value != 0 or name not in PRESENT_WHEN_NOT_ZERO)
    }
