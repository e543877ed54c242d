"""``d0parity report``: the page of a log."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..scenario.options import add_threshold_option
from ..util.text import printable
from .arguments import DONE, UNREADABLE, WRONG_USAGE

if TYPE_CHECKING:
    from ..scenario.pyproject import Project
    from .terminal import Terminal
from .compare import _code_of, _outcome_beside, _with_logs


def add_report(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of ``report``."""
    parser.description = (
        "Make dose_parity_report.html from a log and the probes.npz beside it; the data are not needed. With a "
        "reference the log is compared anew, as by 'compare', and exit code 3 means drift. Needs the extra 'report'."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log that is shown")
    parser.add_argument("--reference", metavar="LOG", help="the evidence log that it is compared with")
    add_threshold_option(parser.add_argument)
    parser.add_argument("--output", metavar="DIR", help="where the page goes (beside LOG)")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    return _with_logs(options, _show)


def _show(options: argparse.Namespace, project: Project, terminal: Terminal) -> int:
    """Write the page of a log, compared with a reference where one is given."""
    from ..compare.log_view import recorded_file
    from ..evidence.artifacts import PAGE, ReportError, prepare_folder
    from ..evidence.file import read_log
    from ..reports.outcome import outcome_of
    from ..reports.writer import write_page_of

    if options.threshold and options.reference is None:
        terminal.error("--threshold is for a comparison: give a --reference as well")
        return WRONG_USAGE
    folder = os.path.dirname(options.log)
    run, reference, code = recorded_file(read_log(options.log), folder), None, DONE
    outcome = outcome_of(run)
    if options.reference is not None:
        outcome, record = _outcome_beside(options.reference, run, options, project, terminal)
        code = _code_of(outcome, run, terminal)
        verdict = run.verdict if run.verdict == "incomplete" else outcome.verdict
        outcome = replace(outcome, verdict=verdict)
        run = replace(run, verdict=verdict, reference=record)
        reference = recorded_file(read_log(options.reference), os.path.dirname(options.reference))
    output = folder if options.output is None else options.output
    try:
        prepare_folder(output or ".")
        no_page = write_page_of(run, reference, outcome, output)
    except ReportError as error:
        no_page = str(error)
    if no_page:
        terminal.error(no_page)
        return UNREADABLE
    terminal.say(f"Look at {printable(os.path.join(output, PAGE))}.")
    return code
