"""Recorded values: which are accepted, and how they travel on the reports of tests."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from ..comparison.values import CheckValues, limits_of_check
from ..evidence.dataset import Scalar
from ..evidence.encoding import convert_for_json
from ..scenario.thresholds import ThresholdError, threshold_of
from ..util.errors import ParityError
from ..util.text import NUMBERS, valid_utf8

# Recorded values are properties of the test report. Their names begin with one of these.
_VALUE = "d0parity:"
_BIG_INTEGER = "d0parity-int:"  # as text, because execnet, which carries the reports of xdist, takes 32 bits only
_LIMIT = "d0parity-limit:"
_INTEGERS = range(-(2**31), 2**31)
_NAME = re.compile(r"[^\s:]+")

ENDED = pytest.StashKey[bool]()  # whether the test function has returned: what is recorded later is not compared


class RecordError(ParityError, TypeError):
    """A value that cannot be recorded. The message names it."""


def recorded_values(properties: Iterable[tuple[str, object]], dataset: str | None) -> CheckValues:
    """Read the values that a test recorded from its properties.

    Parameters
    ----------
    properties : iterable of (str, object)
        The `user_properties` of a test or of its report.
    dataset : str or None
        File name of the dataset that the test is about.
    """
    values: dict[str, Any] = {}
    for name, value in properties:
        if name.startswith(_VALUE):
            values[name.removeprefix(_VALUE)] = NUMBERS.get(value, value) if isinstance(value, str) else value
        elif name.startswith(_BIG_INTEGER):
            values[name.removeprefix(_BIG_INTEGER)] = int(str(value))
    limits = limits_of_check(recorded_limits(properties))
    return CheckValues(None if dataset is None else valid_utf8(dataset), values, limits)


def recorded_limits(properties: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Read the thresholds that a test gave with its values from its properties, by the name of the value."""
    return {name.removeprefix(_LIMIT): json.loads(str(value)) for name, value in properties if name.startswith(_LIMIT)}


def remove_recorded(item: pytest.Item) -> None:
    """Remove the recorded values from a test, which may run more than once."""
    prefixes = (_VALUE, _BIG_INTEGER, _LIMIT)
    item.user_properties[:] = [pair for pair in item.user_properties if not pair[0].startswith(prefixes)]


def record_built_in(item: pytest.Item, values: Mapping[str, Scalar]) -> None:
    """Record the values of a built-in check."""
    item.user_properties += [_as_property(name, convert_for_json(value)) for name, value in values.items()]


def record_own(item: pytest.Item, name: str, value: Any, rel: float | None, abs: float | None) -> None:  # noqa: A002
    """Record a value of one of the users' own checks: see the fixture ``parity_record``.

    Raises
    ------
    RecordError
        If the name, the value or a limit is none that can be recorded, the name has another value already, or the
        test has ended.
    """
    __tracebackhide__ = True
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RecordError(f"{name!r} is no name for a value: a text without blanks and colons is")
    if item.stash.get(ENDED, False):
        raise RecordError(f"{name!r} comes too late to be compared: record it before the test has ended")
    new = convert_for_json(_to_scalar(name, value))
    recorded = recorded_values(item.user_properties, None).values
    if name in recorded:
        old = convert_for_json(recorded[name])
        if (type(old), old) != (type(new), new):
            raise RecordError(f"{name!r} is recorded twice, as {old!r} and as {new!r}")
        return
    limits = {key: limit for key, limit in (("rel", rel), ("abs", abs)) if limit is not None}
    if limits:
        try:
            threshold_of(name, limits)
        except ThresholdError as error:
            raise RecordError(str(error)) from None
        text = json.dumps({key: float(limit) for key, limit in limits.items()})
        item.user_properties.append((_LIMIT + name, text))
    item.user_properties.append(_as_property(name, new))


def _as_property(name: str, value: Any) -> tuple[str, object]:
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INTEGERS:
        return _BIG_INTEGER + name, str(value)
    return _VALUE + name, value


def _to_scalar(name: str, value: Any) -> Scalar:
    __tracebackhide__ = True
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise RecordError(f"{name!r} is an integer beyond all floating numbers, which cannot be recorded")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__qualname__}"
    raise RecordError(f"{name!r} is {kind}, which cannot be recorded; a number, text, flag or None can")
