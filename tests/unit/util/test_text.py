"""Lists and plurals in messages."""

from __future__ import annotations

import pytest

from pytest_d0parity.util.text import counted, listed, printable, quoted


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


@pytest.mark.parametrize("text", ["\x1b]0;x\x07", "a\nb", "\u202e", "\x9b", "\udc9b"])
def test_nothing_that_controls_a_terminal_is_quoted(text: str) -> None:
    assert quoted(text).isprintable()
    assert printable(quoted(text)) == quoted(text)


def test_a_long_text_is_quoted_by_its_beginning() -> None:
    assert quoted("x" * 200) == "x" * 200
    assert quoted("x" * 60_000) == "x" * 200 + "…"
    assert len(listed(["y" * 60_000] * 5, 3)) < 700
