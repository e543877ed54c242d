"""Python values as strict JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity import Placeholder, convert_for_json


def strict(text: str) -> Any:
    def never(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=never)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_anything_becomes_strict_json_in_utf_8(value: Any) -> None:
    strict(json.dumps(convert_for_json(value), allow_nan=False, ensure_ascii=False).encode("utf-8").decode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (np.float32("inf"), "Infinity"),
        (np.float64(0.1), 0.1),
        (np.int64(-3), -3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(2.5), 2.5),
        (np.str_("x"), "x"),
        (np.complex64(1 + 2j), [1.0, 2.0]),
        ((1, "a", None), [1, "a", None]),
        ({1: 2, None: 3}, {"1": 2, "None": 3}),
        ("\ud800", "\\ud800"),
        ("caf\udce9", "caf\\xe9"),
        (b"\xff", "\\xff"),
        (Path("/a/b"), "/a/b"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Placeholder("tf.Variable", (1,)), "<tf.Variable>"),
    ],
)
def test_conversions(value: Any, expected: Any) -> None:
    result = convert_for_json(value)
    assert (type(result), result) == (type(expected), expected)


def test_a_value_that_cannot_be_recorded_is_named() -> None:
    with pytest.raises(TypeError, match="type object"):
        convert_for_json({"a": object()})


def test_a_record_of_an_array() -> None:
    @dataclasses.dataclass
    class Record:
        values: Any

    assert convert_for_json(Record(np.arange(2))) == {"values": [0, 1]}
