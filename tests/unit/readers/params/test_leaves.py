"""Nested params as leaves with dotted names."""

from __future__ import annotations

import datetime
import hashlib
from collections import OrderedDict, deque
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_d0parity.readers.params.baseline import read_baseline
from pytest_d0parity.readers.params.leaves import leaves_of
from pytest_d0parity.readers.params.placeholders import Placeholder

SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=9)
NAMES = st.text("abcxyz_/ 0", min_size=1, max_size=5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(NAMES, inner, max_size=3)
)


def paths(prefix: tuple[str, ...], tree: Any) -> dict[tuple[str, ...], Any]:
    if isinstance(tree, dict | list | tuple) and tree:
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        found: dict[tuple[str, ...], Any] = {}
        for key, item in items:
            found |= paths((*prefix, str(key)), item)
        return found
    return {prefix: "{}" if tree == {} else "[]" if tree in ([], ()) and not isinstance(tree, str) else tree}


@given(st.dictionaries(NAMES, TREES, min_size=1, max_size=4))
def test_every_leaf_is_there_once(settings: dict[str, Any]) -> None:
    leaves = leaves_of(settings)
    assert leaves.values == {".".join(path): value for path, value in paths((), settings).items()}
    assert (leaves.twice, leaves.left_out) == ((), 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.array(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (b"by\xff", "by\\xff"),
        (datetime.date(2026, 7, 1), "2026-07-01"),
        (PurePosixPath("a/b"), "a/b"),
        (np.datetime64("2026-07-01"), "2026-07-01"),
        (datetime.timedelta(1, 2), "1 day, 0:00:02"),
        (range(3, 30, 4), "range(3, 30, 4)"),
        (np.dtype("<f4"), "float32"),
        (2**70, str(2**70)),
        ("\ud800", "\\ud800"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_scalars_in_whatever_form(value: Any, expected: Any) -> None:
    (found,) = leaves_of({"a": value}).values.values()
    assert (found, type(found)) == (expected, type(expected))


def test_containers() -> None:
    settings = {"o": OrderedDict(a=1), "d": deque([1, 2]), "s": {3, 1}, "c": 1 + 2j, 5: {None: 6}}
    settings |= {"z": np.array(3 + 4j), "y": np.complex64(5j)}
    assert leaves_of(settings).values == {
        "o.a": 1,
        "d.0": 1,
        "d.1": 2,
        "s.0": 1,
        "s.1": 3,
        "c.real": 1.0,
        "c.imag": 2.0,
        "5.None": 6,
        "z.real": 3.0,
        "z.imag": 4.0,
        "y.real": 0.0,
        "y.imag": 5.0,
    }


def test_arrays_and_placeholders_stay() -> None:
    array, placeholder = np.arange(3), Placeholder("m.Class")
    assert leaves_of({"a": array, "p": placeholder}).values == {"a": array, "p": placeholder}


def test_two_leaves_of_one_name_are_both_kept() -> None:
    leaves = leaves_of({"a.b": 1, "a": {"b": 2, 1: 3, "1": 4}})
    assert leaves.values == {"a.b": 1, "a.b (2)": 2, "a.1": 3, "a.1 (2)": 4}
    assert leaves.twice == ("a.b", "a.1")


def test_a_name_with_a_number_that_is_taken_replaces_nothing() -> None:
    leaves = leaves_of({"a.b": 1, "a": {"b": 2}, "a.b (2)": 3})
    assert leaves.values == {"a.b": 1, "a.b (2)": 2, "a.b (2) (2)": 3}
    assert leaves.twice == ("a.b", "a.b (2)")


CLASHING = st.recursive(
    st.integers(0, 9),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "a (2)", "b (2)", "", "0", "a.b (2)"]) | st.just(0), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "a.b", "a (2)", "", "a.b (2)"]), CLASHING, min_size=1))
def test_no_leaf_replaces_another_one_whatever_the_names(settings: dict[str, Any]) -> None:
    leaves = leaves_of(settings)
    expected = [str(value) for value in all_leaves(settings)]
    assert sorted(map(str, leaves.values.values())) == sorted(expected)
    assert bool(leaves.twice) == (len(expected) > len({*dotted_names("", settings)}))


def all_leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict | list) and tree:
        return [leaf for item in (tree.values() if isinstance(tree, dict) else tree) for leaf in all_leaves(item)]
    return ["{}" if tree == {} else "[]" if tree == [] else tree]


def dotted_names(prefix: str, tree: Any) -> list[str]:
    if not (isinstance(tree, dict | list) and tree):
        return [prefix]
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [name for key, item in items for name in dotted_names(f"{prefix}.{key}" if prefix else str(key), item)]


def test_containers_that_hold_themselves_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_d0parity.readers.params.leaves.MAX_VISITED", 100_000)
    settings: dict[str, Any] = {"N": 64}
    settings[""] = settings["self"] = settings
    leaves = leaves_of(settings)
    assert (len(leaves.values), leaves.values["N"], leaves.values["self.N"]) == (10_000, 64, 64)
    assert leaves.left_out_text == "at least 90000 values"
    assert read_baseline(settings).parameters["N"] == 64


def test_a_long_text_is_known_by_its_hash() -> None:
    digest = hashlib.sha256(b"y" * 5000).hexdigest()
    assert leaves_of({"a": "y" * 5000}).values["a"].endswith(f"(5,000 characters, SHA-256 {digest})")


def test_what_is_too_much_is_counted() -> None:
    leaves = leaves_of({f"k{number}": {"a": 1, "b": 2} for number in range(6000)})
    assert (len(leaves.values), leaves.left_out) == (10_000, 2000)
    deep: Any = 1
    for _ in range(300):
        deep = {"k" * 4000: deep}
    assert leaves_of({"a": 1, "deep": deep}).left_out == 1


@pytest.mark.parametrize("empty", [{}, [], (), set(), frozenset(), deque()])
def test_of_many_values_empty_containers_count_once(empty: Any) -> None:
    """What is left out is counted without looking at each name."""
    many = {f"key{number}": number for number in range(10_000)}
    leaves = leaves_of({**many, "more": [empty, [1, empty], {"a": empty}], "z": complex(1, 2)})
    assert (len(leaves.values), leaves.left_out) == (10_000, 6)
