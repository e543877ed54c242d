"""Metadata in a JSON text."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity.readers.metadata import parse_metadata

SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=20)
NAMES = st.text("abcxyz_/ 0", min_size=1, max_size=5)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def rebuilt(values: dict[str, Any]) -> Any:
    """Put leaves together again; the names in the tests hold no dots."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def counted(tree: Any) -> Any:
    """The same tree with lists as objects whose keys count from 0, and empty ones as text."""
    if isinstance(tree, list | dict):
        items = tree.items() if isinstance(tree, dict) else ((str(at), item) for at, item in enumerate(tree))
        return {key: counted(item) for key, item in items} or ("{}" if isinstance(tree, dict) else "[]")
    return tree


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_every_leaf_is_there_by_its_dotted_name(content: dict[str, Any]) -> None:
    metadata = parse_metadata(json.dumps(content))
    assert metadata.remarks == ()
    if content:
        assert rebuilt(metadata.values) == counted(content)


def test_a_name_that_is_said_twice() -> None:
    metadata = parse_metadata('{"a": {"b": 1}, "a.b": 2, "c": 3, "c": 4}')
    assert metadata.values == {"a.b": 1, "a.b (2)": 2, "c": 3, "c (2)": 4}
    assert metadata.remarks == ("says these more than once, and all are recorded, with numbers: c, a.b",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nphotons=1e5", "is no JSON (line 1, column 1: "),
        ("", "is no JSON"),
        ("[1, 2]", "is JSON, but no object"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "is nested too deeply"),
        ('{"a":' * 65 + "1" + "}" * 65, "is nested too deeply"),
        ('{"a": [' + "[]," * 1_000_001 + "1]}", "holds more than 1,000,000 values"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
        ('{"a": "' + "x" * (10 << 20) + '"}', "is a text of 10,485,769 characters; at most 4,194,304 are read"),
    ],
)
def test_what_is_no_metadata(text: str, says: str) -> None:
    metadata = parse_metadata(text)
    (remark,) = metadata.remarks
    assert metadata.values == {}
    assert remark.startswith(says)


def test_more_than_a_log_holds() -> None:
    metadata = parse_metadata(json.dumps({f"k{number}": number for number in range(12_000)}))
    assert len(metadata.values) == 10_000
    assert "2000 values left out" in metadata.remarks[0]
    deep = "".join('{"' + "k" * 4000 + '":' for _ in range(9)) + "1" + "}" * 9
    assert "1 value left out" in parse_metadata(deep).remarks[0]


def test_odd_values_can_be_written_to_a_log() -> None:
    metadata = parse_metadata(json.dumps({"text": "x" * 5000, "large": 2**80, "lone": "\ud800", "nan": float("nan")}))
    digest = hashlib.sha256(b"x" * 5000).hexdigest()
    assert metadata.values["text"] == "x" * 200 + f"… (5,000 characters, SHA-256 {digest})"
    assert (metadata.values["large"], metadata.values["lone"]) == (str(2**80), "\\ud800")
    assert str(metadata.values["nan"]) == "nan"
