"""Lists and plurals in messages."""

from __future__ import annotations

import pytest

from pytest_d0parity.util.text import counted, listed


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (("a", "b", "c", "d", "e", "f"), "a, b, c and 3 more"),
    ],
)
def test_at_most_three_names_are_listed(names: list[str], expected: str) -> None:
    assert listed(names, 3) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "0 values"), (1, "1 value"), (2, "2 values")])
def test_plurals(number: int, expected: str) -> None:
    assert counted(number, "value") == expected
