"""The command line: ``d0parity``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from .._version import __version__
from ..util.errors import ParityError
from ..util.runtime import Interruption
from ..util.text import printable
from .arguments import DONE, INTERRUPTED, complete, completed_command, epilog_of
from .log import add_log
from .terminal import Terminal

# A subcommand is imported when it is asked for, and what it needs when it runs: --help and schema answer at once.
_COMMANDS = {
    "log": "record a sweep and its params",
    "compare": "compare two logs, or folders of datasets",
    "report": "make the page for people who look, from logs alone",
    "verify": "check that files are those of a log, or of a bundle; read a receipt",
    "bundle": "put a log and all that it tells of into a bundle",
    "attest": "say what a log attests, signed or not, for others to verify",
    "scan": "say what a folder of NPZ files holds, and how to log it",
    "demo": "simulate a small sweep and show record, match and drift",
    "schema": "print the JSON Schema of the log",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors cannot control a terminal, whatever name of a file was given."""

    def error(self, message: str) -> NoReturn:
        super().error("\n".join(map(printable, message.split("\n"))))

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End with an error that names what is not known, and what may have been meant."""
        from difflib import get_close_matches

        options = [name for action in self._actions for name in action.option_strings]
        meant = [name for word in unknown for name in get_close_matches(word.partition("=")[0], options, 1)]
        hint = f"; did you mean {' and '.join(dict.fromkeys(meant))}?" if meant else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")


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
    commands = parser.add_subparsers(metavar="COMMAND")
    arguments = sys.argv[1:] if argv is None else argv
    asked = completed_command() or next(iter(arguments), None)
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, **epilog_of(name))
        if name == asked:
            getattr(import_module(f".{name}", __package__), f"add_{name}")(command)
    complete(parser)
    if not arguments:
        parser.print_help()
        return DONE
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.choices.get(str(asked), parser).refuse(unknown)
    return _run(options)


def log_main(argv: Sequence[str] | None = None) -> int:
    """Run ``d0parity log`` under the name of the script: see `main`."""
    parser = _Parser(**epilog_of("log"))
    add_log(parser)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.refuse(unknown)
    return _run(options)


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
