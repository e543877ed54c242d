"""The command line: ``d0parity``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from .._version import __version__
from ..util.errors import ParityError
from ..util.runtime import Interruption
from ..util.text import printable
from .arguments import INTERRUPTED
from .attest import add_attest
from .bundle import add_bundle
from .compare import add_compare
from .demo import add_demo
from .log import add_log
from .report import add_report
from .scan import add_scan
from .schema import add_schema
from .terminal import Terminal
from .verify import add_verify

# What a subcommand needs is imported when it runs, so that --help and schema answer at once.

_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "log": (add_log, "record a sweep and its params"),
    "compare": (add_compare, "compare a log with a reference"),
    "report": (add_report, "make the page for people who look, from logs alone"),
    "verify": (add_verify, "check that files are those of a log, or of a bundle"),
    "bundle": (add_bundle, "put a log and all that it tells of into a bundle"),
    "attest": (add_attest, "say what a log attests, signed or not, for others to verify"),
    "scan": (add_scan, "say what a folder of NPZ files holds, and how to log it"),
    "demo": (add_demo, "simulate a small sweep and show record, match and drift"),
    "schema": (add_schema, "print the JSON Schema of the log"),
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors cannot control a terminal, whatever name of a file was given."""

    def error(self, message: str) -> NoReturn:
        super().error("\n".join(map(printable, message.split("\n"))))


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``d0parity``.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 something could not be read or written, 2 wrong usage (argparse itself
        leaves by `SystemExit` with it), 3 drift, and 130, 143 or 129 where SIGINT (Ctrl-C), SIGTERM or SIGHUP came.
    """
    parser = _Parser(
        prog="d0parity", description="Evidence that two sides hold the same photon-dose sweep, probe and parameters."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add, summary) in _COMMANDS.items():
        add(commands.add_parser(name, help=summary))

    return _run(parser.parse_args(argv))


def log_main(argv: Sequence[str] | None = None) -> int:
    """Run ``d0parity log`` under the name of the script: see `main`."""
    parser = _Parser()
    add_log(parser)
    return _run(parser.parse_args(argv))


def _run(options: argparse.Namespace) -> int:
    """Run a command until it ends, or something ends it."""
    terminal = Terminal(quiet=getattr(options, "quiet", False), progress=getattr(options, "progress", None))
    interruption = Interruption()
    code = INTERRUPTED
    try:
        with interruption, terminal:
            code = _exit_code(options, terminal)
    except KeyboardInterrupt:
        # One that fell into an exec() of text, as dataclasses call it, would end ``python -m`` by SIGINT although
        # it is caught here: CPython remembers it until the next exec() of text.
        exec("")  # noqa: S102
        interruption.cause = interruption.cause or "Ctrl-C"
    if interruption.cause:
        terminal.note(f"interrupted by {interruption.cause}")
    return interruption.exit_code or code


def _exit_code(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run a command; print errors that the user can put right."""
    run: Callable[[argparse.Namespace, Terminal], int] = options.run
    try:
        return run(options, terminal)
    except ParityError as error:
        for sentence in error.sentences:
            terminal.error(sentence)
        return error.exit_code
