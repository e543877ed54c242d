"""Text that came from files, and numbers that JSON has no word for: made sayable."""

from __future__ import annotations

import math
import os


def valid_utf8(text: str) -> str:
    r"""Escape what UTF-8 cannot say: bytes of a file name that are not UTF-8, and lone surrogates.

    Parameters
    ----------
    text : str
        Any string, as `os.listdir` or a pickle gives it.

    Returns
    -------
    str
        With ``\xff`` for a stray byte and ``\ud800`` for a lone surrogate.
    """
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    r"""Escape control characters as well, so that a name cannot talk to a terminal.

    Examples
    --------
    >>> print(printable("two\nlines"))
    two\nlines
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid_utf8(text))


# What JSON cannot say as a number, and how it is spelled (the convention of protobuf).
NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def non_finite(value: float) -> str:
    """Spell a number that JSON cannot say: ``NaN``, ``Infinity`` or ``-Infinity``."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the right form.

    Examples
    --------
    >>> counted(1, "dataset"), counted(3, "dataset")
    ('1 dataset', '3 datasets')
    """
    return f"{number} {noun}{'s' * (number != 1)}"
