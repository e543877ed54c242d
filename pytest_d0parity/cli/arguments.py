"""Arguments of the commands, and the exit codes."""

from __future__ import annotations

import argparse
import re

from ..scenario.options import split_names

_MAX_DOSE = 1e15  # of Poisson counts that NumPy can draw


def add_terminal_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options for progress and quiet."""
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show a progress bar (by default on a terminal)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but what is wrong")


def jobs(text: str) -> int | None:
    """Read a number of processes; None for ``auto``."""
    return None if text == "auto" else positive(text)


def doses(text: str) -> tuple[str, ...]:
    """Read a list of different doses."""
    found = split_names(text)
    for dose in found:
        if not re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", dose) or not 0 < float(dose) <= _MAX_DOSE:
            raise argparse.ArgumentTypeError(f"{dose!r} is no dose: a number like 1e5, above 0 and up to {_MAX_DOSE:g}")
    if len({float(dose) for dose in found}) < len(found):
        raise argparse.ArgumentTypeError("each dose may be given once")
    return found


def natural(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def positive(text: str) -> int:
    """Read a whole number from 1."""
    number = natural(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


DONE = 0
UNREADABLE = 1  # something could not be read or written
WRONG_USAGE = 2
DRIFT = 3
INTERRUPTED = 130  # by Ctrl-C; otherwise 128 and the number of the signal
