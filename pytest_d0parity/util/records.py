"""Records of the log as plain dictionaries."""

from __future__ import annotations

from dataclasses import Field, field, fields
from typing import Any, TypeVar

T = TypeVar("T")

_OPTIONAL = {"optional": True}


class _Absent:
    """A value that a log does not hold; it equals nothing but itself."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"  # one and the same in every process

    def __bool__(self) -> bool:
        return False


ABSENT: Any = _Absent()  # stands in a record for a value that the log it was read from does not hold


def optional(default: T) -> T:
    """Declare a field of a record that the log leaves out where it has its default."""
    value: Any = field(default=default, metadata=_OPTIONAL)
    return value  # type: ignore[no-any-return]


def is_optional(item: Field[Any]) -> bool:
    """Whether a field was declared by `optional`."""
    return "optional" in item.metadata


def as_dict(record: Any) -> dict[str, Any]:
    """Return the fields of a record as a dictionary, in their order; nested records stay records.

    Parameters
    ----------
    record : dataclass instance
        Any record of the log.

    Returns
    -------
    dict
        Without what is `ABSENT`, and without the fields that are `optional` and have their default.
    """
    values = {item.name: getattr(record, item.name) for item in fields(record)}
    left_out = {item.name for item in fields(record) if is_optional(item) and values[item.name] == item.default}
    return {key_of(name): value for name, value in values.items() if value is not ABSENT and name not in left_out}


def key_of(name: str) -> str:
    """Return the key of a field in the log: its name, without the underscore that a word of Python needs."""
    return name.removesuffix("_")
