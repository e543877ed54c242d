"""Text for people: escaped names from files, lists, plurals, and numbers that JSON cannot hold."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence


def valid_utf8(text: str) -> str:
    r"""Escape what UTF-8 cannot encode: bytes of a file name that are not UTF-8, and lone surrogates.

    Parameters
    ----------
    text : str
        Any string, for example from a pickle, or the name of a file from `name_as_text`.

    Returns
    -------
    str
        With ``\xff`` for a stray byte and ``\ud800`` for a lone surrogate.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def name_as_text(name: str) -> str:
    """Return the name of a file, as the operating system gives it, as text that is the same in every locale.

    Its bytes are taken for UTF-8, whatever the locale says. Those that are not stay surrogates: see `valid_utf8`.
    """
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not from the operating system, but from a text
        return name


def text_as_name(text: str) -> str:
    """Return the name by which a file is opened: the inverse of `name_as_text`."""
    try:
        return os.fsdecode(text.encode("utf-8", "surrogateescape"))
    except UnicodeError:
        return text


def printable(text: str) -> str:
    r"""Escape control characters as well, so that printing a name cannot control a terminal.

    Examples
    --------
    >>> print(printable("two\nlines"))
    two\nlines
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid_utf8(text))


def quoted(text: object, most: int = 200) -> str:
    """Return what a file says, for a message: printable, and of a long text the beginning.

    Examples
    --------
    >>> quoted("raw.mean"), quoted("x" * 1000, 4)
    ('raw.mean', 'xxxx…')
    """
    text = str(text)
    shown = printable(text[:most])
    return shown if len(text) <= most else f"{shown}…"


# What JSON cannot say as a number, and how it is spelled (the convention of protobuf).
NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def non_finite(value: float) -> str:
    """Return ``NaN``, ``Infinity`` or ``-Infinity``, for numbers that JSON cannot hold."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def listed(names: Sequence[str], most: int) -> str:
    """Return names in one line, printable; of more than `most` the first ones, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b"], 2)
    'a, b'
    >>> listed(["a", "b", "c", "d", "e"], 2)
    'a, b and 3 more'
    """
    text = ", ".join(map(quoted, names[:most]))
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def more_than(most: int, total: int, noun: str) -> list[str]:
    """Return the line after a list that was cut, which says how many more there are; none if all are shown.

    Examples
    --------
    >>> more_than(20, 23, "files"), more_than(20, 20, "files")
    (['... and 3 more files'], [])
    """
    return [f"... and {total - most} more {noun}"] if total > most else []


def counted(number: int, noun: str) -> str:
    """Return a number and a noun that takes a plural s.

    Examples
    --------
    >>> counted(1, "value"), counted(3, "dataset")
    ('1 value', '3 datasets')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
