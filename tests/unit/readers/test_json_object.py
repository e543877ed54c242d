"""JSON objects: how much of them is read."""

from __future__ import annotations

import pytest

from pytest_d0parity.readers import json_object
from pytest_d0parity.readers.json_object import JsonError, parse_json_object


def test_just_as_many_values_as_are_read_and_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_object, "_MAX_VALUES", 10)
    for count in (1, 8, 9):
        # One for the object, one for the list, and a comma before each but the first; those of texts do not count.
        text = '{",[{,,,,": [' + ", ".join(["0"] * count) + "]}"
        assert parse_json_object(text) == ({",[{,,,,": [0] * count}, [])
    with pytest.raises(JsonError, match="holds more than 10 values"):
        parse_json_object('{"a": [' + ", ".join(["0"] * 10) + "]}")
