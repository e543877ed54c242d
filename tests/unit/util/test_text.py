"""Lists and plurals in messages."""

from __future__ import annotations

import os

import pytest

from pytest_d0parity.util.text import counted, listed, name_as_text, printable, quoted, text_as_name, valid_utf8


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


def in_the_locale(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode(encoding, "surrogateescape"))
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode(encoding, "surrogateescape"))


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "ascii"])
@pytest.mark.parametrize("text", ["Größe", "日本", "plain", "\U0001f600"])
def test_a_text_is_the_same_in_every_locale(monkeypatch: pytest.MonkeyPatch, encoding: str, text: str) -> None:
    in_the_locale(encoding, monkeypatch)
    assert valid_utf8(text) == text
    assert valid_utf8(valid_utf8("\udcff\ud800")) == valid_utf8("\udcff\ud800")


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "ascii"])
@pytest.mark.parametrize(("name", "text"), [("Größe".encode(), "Größe"), (b"raw\xff", "raw\\xff"), (b"a", "a")])
def test_the_name_of_a_file_is_the_same_in_every_locale(
    monkeypatch: pytest.MonkeyPatch, encoding: str, name: bytes, text: str
) -> None:
    in_the_locale(encoding, monkeypatch)
    given = os.fsdecode(name)
    assert valid_utf8(name_as_text(given)) == text
    assert text_as_name(name_as_text(given)) == given
