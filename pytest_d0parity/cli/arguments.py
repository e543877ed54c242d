"""Arguments of the commands, what their help ends with, and the exit codes."""

from __future__ import annotations

import argparse
import os
import re
from importlib.util import find_spec
from typing import Any

from ..scenario.options import split_names

_EXAMPLES = {
    "log": (
        "d0parity log --dataset-root sweep --baseline-params sweep/params.dill --output parity",
        "d0parity log --dataset-root sweep --baseline-params sweep/params.dill --reference reference.json "
        "--threshold 'normalized.*:0.1%'",
    ),
    "compare": (
        "d0parity compare theirs/dose_parity_log.json my-sweep",
        "git show HEAD:reference.json | d0parity compare - reference.json --format markdown",
    ),
    "report": (
        "d0parity report parity/dose_parity_log.json",
        "d0parity report monday.json tuesday.json wednesday.json --output page",
    ),
    "verify": (
        "d0parity verify dose_parity_log.json --dataset-root my-copy",
        "d0parity verify bundle.tar.gz --public-key public.pem --output receipt",
    ),
    "bundle": (
        "d0parity bundle parity/dose_parity_log.json --output bundle.tar",
        "d0parity bundle parity/dose_parity_log.json --output bundle.tar.gz --contact me@example.org",
    ),
    "attest": (
        "d0parity attest parity/dose_parity_log.json",
        "d0parity attest parity/dose_parity_log.json --key key.pem",
    ),
    "scan": ("d0parity scan sweep", "d0parity scan . | less"),
    "demo": ("d0parity demo", "d0parity demo --layout dose-ladder --output ladder"),
    "schema": ("d0parity schema > schema.json", "d0parity schema | less"),
}
_CODES = {0: "done", 1: "something could not be read or written, or parity is not shown", 2: "wrong usage"}
_COMPARED = _CODES | {0: "done; where something is compared, parity", 3: "drift beyond a threshold"}
_INTERRUPTED = "130, 143, 129  interrupted by Ctrl-C, SIGTERM or SIGHUP"
_COMPARING = frozenset({"log", "compare", "report", "verify"})

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


def epilog_of(command: str) -> dict[str, Any]:
    """Return what a parser is given so that its help ends with two examples and the exit codes."""
    codes = _COMPARED if command in _COMPARING else _CODES
    lines = [f"  {code}  {meaning}" for code, meaning in codes.items()]
    text = "\n".join(
        ["examples:", *(f"  {each}" for each in _EXAMPLES[command]), "", "exit codes:", *lines, f"  {_INTERRUPTED}"]
    )
    return {"epilog": text, "formatter_class": _Formatter}


class _Formatter(argparse.HelpFormatter):
    """Wraps what is said of options, and leaves examples and exit codes as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)


def completed_command() -> str | None:
    """Return the command whose options a shell asks for, through argcomplete; None if none asks."""
    words = os.environ.get("COMP_LINE", "").split() if "_ARGCOMPLETE" in os.environ else []
    return words[1] if len(words) > 1 and words[1] in _EXAMPLES else None


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, where argcomplete is installed."""
    if "_ARGCOMPLETE" in os.environ and find_spec("argcomplete") is not None:
        import argcomplete

        argcomplete.autocomplete(parser)


DONE = 0
UNREADABLE = 1  # something could not be read or written
WRONG_USAGE = 2
DRIFT = 3
INTERRUPTED = 130  # by Ctrl-C; otherwise 128 and the number of the signal
