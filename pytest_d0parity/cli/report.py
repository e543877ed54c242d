"""``d0parity report``: the page of a log."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..scenario.options import add_comparison_options
from ..util.errors import UsageError
from ..util.text import printable
from .arguments import DONE

if TYPE_CHECKING:
    from ..evidence.file import LogFile
    from ..evidence.probe_archive import Probes
    from .terminal import Terminal


def add_report(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Make dose_parity_report.html from a log and the probes.npz beside it; the data are not needed. With a "
        "reference the log is compared anew, as by 'compare', and exit code 3 means drift."
    )
    parser.add_argument("log", metavar="LOG", help="the evidence log that is shown")
    parser.add_argument("--reference", metavar="LOG", help="the evidence log that it is compared with")
    add_comparison_options(parser.add_argument)
    parser.add_argument("--output", metavar="DIR", help="where the page goes (beside LOG)")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace, terminal: Terminal) -> int:
    from dataclasses import replace

    from ..evidence.artifacts import PAGE, prepare_folder, write_artifact
    from ..evidence.file import read_log
    from ..evidence.probe_archive import read_probes
    from ..evidence.siblings import strangers_beside
    from ..reports.outcome import outcome_of
    from ..reports.writer import render_page
    from ..scenario.pyproject import find_project
    from .compare import compare_with, exit_code_of

    for name in ("threshold", "compare"):
        if getattr(options, name) and options.reference is None:
            raise UsageError(f"--{name} is for a comparison: give a --reference as well")
    project, folder = find_project("."), os.path.dirname(options.log)
    file, code = read_log(options.log), DONE
    reference: tuple[LogFile, Probes] | None = None
    log, outcome = file.log, outcome_of(file.log)
    if options.reference is not None:
        file_of_reference = read_log(options.reference)
        outcome, record = compare_with(file_of_reference, file, project, options, terminal)
        code = exit_code_of(outcome, file, terminal)
        verdict = "incomplete" if log.verdict == "incomplete" else outcome.verdict
        outcome = replace(outcome, verdict=verdict, from_cache=len(log.metadata.from_cache))
        log = replace(log, verdict=outcome.verdict, reference=record, findings=outcome.findings)
        reference = file_of_reference, read_probes(os.path.dirname(options.reference))
    output = folder if options.output is None else options.output
    prepare_folder(output or ".")
    if found := strangers_beside(file):
        terminal.note(found)
    page = render_page(log, file.sha256, read_probes(folder), reference, outcome)
    write_artifact(os.path.join(output, PAGE), page)
    terminal.say(f"Look at {printable(os.path.join(output, PAGE))}.")
    return code
