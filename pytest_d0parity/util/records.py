"""Records of the log as plain dictionaries."""

from __future__ import annotations

from dataclasses import Field, field, fields
from functools import cache
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


_NEVER = object()  # no default at which a field is left out

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
    values = [(key, getattr(record, name), default) for name, key, default in _fields_of(record.__class__)]
    return {
        key: value for key, value, default in values if value is not ABSENT and (default is _NEVER or value != default)
    }


@cache
def _fields_of(cls: Any) -> list[tuple[str, str, Any]]:
    """Return name and key of each field of a record, and the default at which the log leaves it out."""
    return [(item.name, key_of(item.name), item.default if is_optional(item) else _NEVER) for item in fields(cls)]


def key_of(name: str) -> str:
    """Return the key of a field in the log: its name, without the underscore that a word of Python needs."""
    return name.removesuffix("_")
