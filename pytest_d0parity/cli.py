"""The command line: ``d0parity log``, ``d0parity demo``, ``d0parity schema``."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .scenario import DEFAULT_ID, DEFAULT_ROOT, Scenario, default_output
from .text import printable

if TYPE_CHECKING:
    from .evidence import EvidenceLog
    from .terminal import Terminal

__all__ = ["DONE", "INTERRUPTED", "UNREADABLE", "log_main", "main"]

# What a subcommand needs is imported when it runs, so that --help and schema answer at once.

DONE = 0
UNREADABLE = 1
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``d0parity``.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 something could not be read or written, 130 interrupted. Wrong usage
        leaves by `SystemExit` with 2, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="d0parity", description="Evidence that two sides hold the same photon-dose sweep, probe and parameters."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    log = commands.add_parser("log", help="record a sweep and its params", description=_LOG)
    _add_log_options(log)
    log.set_defaults(run=_log)

    demo = commands.add_parser("demo", help="simulate a small sweep and log it", description=_DEMO)
    demo.add_argument("--output", default="d0parity-demo", metavar="DIR", help="where the sweep goes (%(default)s)")
    demo.add_argument("--frames", type=_positive, default=200, metavar="N", help="patterns per dose (%(default)s)")
    doses = "1e3,1e4,1e5,1e6,1e7,1e8,1e9"
    demo.add_argument(
        "--doses", type=_doses, default=_doses(doses), metavar="D,D", help=f"photons per pattern ({doses})"
    )
    demo.add_argument("--seed", type=_natural, default=0, help="the same seed gives the same sweep (%(default)s)")
    _add_terminal_options(demo)
    demo.set_defaults(run=_demo)

    schema = commands.add_parser("schema", help="print the JSON Schema of the log", description=_SCHEMA)
    schema.set_defaults(run=_schema)

    return _run(parser.parse_args(argv))


def log_main(argv: Sequence[str] | None = None) -> int:
    """Run ``d0parity log`` under the name of the script: see `main`."""
    parser = argparse.ArgumentParser(description=_LOG)
    _add_log_options(parser)
    parser.set_defaults(run=_log)
    return _run(parser.parse_args(argv))


_LOG = "Record every value of a photon-dose sweep and of the params of its baseline run in an evidence log."
_DEMO = "Simulate a small sweep with real physics, write a params.dill beside it, and log both."
_DEMO_DOSES = ("1e3", "1e4", "1e5", "1e6", "1e7", "1e8", "1e9")
_SCHEMA = "Print the JSON Schema (2020-12) of dose_parity_log.json."


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _add_log_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset-root", default=DEFAULT_ROOT, metavar="DIR", help="folder of the sweep, data_p*.npz (%(default)s)"
    )
    parser.add_argument(
        "--baseline-params", metavar="FILE", help="params.dill of the baseline run; nothing in it is run"
    )
    parser.add_argument("--scenario-id", default=DEFAULT_ID, metavar="ID", help="name of the scenario (%(default)s)")
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where artifacts go ($ARTIFACT_DIR, or plans/active/seed/reports/<UTC time>)",
    )
    parser.add_argument(
        "--limit-datasets", type=_names, metavar="A.npz,B.npz", help="log these datasets of the sweep, and no others"
    )
    parser.add_argument(
        "--trust-params", action="store_true", help="load the params with dill itself, which runs whatever they say"
    )
    parser.add_argument("--history", metavar="FILE.md", help="append this run to the attempts history in that file")
    _add_terminal_options(parser)


def _add_terminal_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show a progress bar (by default on a terminal)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but what is wrong")


def _log(options: argparse.Namespace) -> int:
    scenario = Scenario(
        scenario_id=options.scenario_id,
        dataset_root=options.dataset_root,
        baseline_params=options.baseline_params,
        limit_datasets=options.limit_datasets,
        trust_params=options.trust_params,
    )
    from .terminal import Terminal

    with Terminal(quiet=options.quiet, progress=options.progress) as terminal:
        return _record(scenario, options.output or default_output(), options.history, terminal)


def _record(scenario: Scenario, output: str, history: str | None, terminal: Terminal) -> int:
    """Capture a scenario, write its log, and say what came of it."""
    from .capture import CaptureInterrupted, capture_evidence
    from .reports import ReportError, prepare_folder

    try:
        prepare_folder(output)
    except ReportError as error:
        terminal.error(str(error))
        return UNREADABLE
    try:
        log, code = capture_evidence(scenario, terminal), DONE
    except CaptureInterrupted as interrupt:
        log, code = interrupt.log, INTERRUPTED
    written = _write(log, output, history, terminal)
    if code == DONE and (log.has_errors or not written):
        return UNREADABLE
    return code


def _write(log: EvidenceLog, output: str, history: str | None, terminal: Terminal) -> bool:
    from .reports import HistoryError, ReportError, append_to_history, write_reports

    whole = True
    try:
        write_reports(log, output)
        terminal.done(log, output)
    except ReportError as error:
        terminal.error(str(error))
        whole = False
    if history is not None:
        try:
            append_to_history(history, log, output)
        except HistoryError as error:
            terminal.error(str(error))
            whole = False
    return whole


def _demo(options: argparse.Namespace) -> int:
    from .files import describe_os_error
    from .simulator import simulate_sweep, write_params
    from .terminal import Terminal

    params = os.path.join(options.output, "params.dill")
    output = os.path.join(options.output, "parity")
    with Terminal(quiet=options.quiet, progress=options.progress) as terminal:
        terminal.say(
            f"Simulating {len(options.doses)} doses of {options.frames} patterns in {printable(options.output)}"
        )
        try:
            os.makedirs(options.output, exist_ok=True)
            simulate_sweep(options.output, options.doses, options.frames, options.seed)
            write_params(params, options.frames)
        except OSError as error:
            terminal.error(f"the sweep cannot be written to {printable(options.output)}: {describe_os_error(error)}")
            return UNREADABLE
        scenario = Scenario(
            scenario_id="DEMO",
            dataset_root=options.output,
            baseline_params=params,
            limit_datasets=tuple(f"data_p{dose}.npz" for dose in options.doses),
        )
        command = ["d0parity", "log", "--dataset-root", options.output, "--baseline-params", params]
        terminal.say("Logging it, as this does: " + shlex.join([*command, "--scenario-id", "DEMO", "--output", output]))
        return _record(scenario, output, None, terminal)


def _schema(options: argparse.Namespace) -> int:
    del options
    import json

    from .evidence import json_schema

    try:
        print(json.dumps(json_schema(), indent=2), flush=True)
    except OSError as error:
        # What is left in the buffer must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whoever reads may stop when he has had enough
            print(f"error: the schema cannot be written: {error.strerror}", file=sys.stderr)
            return UNREADABLE
    return DONE


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("give at least one file name")
    return names


def _doses(text: str) -> tuple[str, ...]:
    doses = _names(text)
    for dose in doses:
        if not re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", dose) or not 0 < float(dose) <= _MAX_DOSE:
            raise argparse.ArgumentTypeError(f"{dose!r} is no dose: a number like 1e5, above 0 and up to {_MAX_DOSE:g}")
    if len({float(dose) for dose in doses}) < len(doses):
        raise argparse.ArgumentTypeError("each dose may be given once")
    return doses


_MAX_DOSE = 1e15  # of Poisson counts that NumPy can draw


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    number = _natural(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number
