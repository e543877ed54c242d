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
    from ..evidence.pictures import Pictures
    from .terminal import Terminal


def add_report(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Make dose_parity_report.html from a log and the pictures.npz beside it; the data are not needed. With a "
        "reference the log is compared anew, as by 'compare'. Of several logs the latest is shown, and all of them "
        "side by side, over time."
    )
    what = "the evidence log that is shown, or several of them; a folder means the log in it"
    parser.add_argument("logs", metavar="LOG", nargs="+", help=what)
    parser.add_argument("--reference", metavar="LOG", help="the evidence log that it is compared with")
    add_comparison_options(parser.add_argument)
    parser.add_argument("--output", metavar="DIR", help="where the page goes (beside LOG; needed for several)")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace, terminal: Terminal) -> int:
    from dataclasses import replace

    from ..api.source import log_in
    from ..evidence.artifacts import PAGE, prepare_folder, write_artifact
    from ..evidence.file import read_log
    from ..evidence.pictures import pictures_beside, read_pictures
    from ..evidence.siblings import strangers_beside
    from ..reports.outcome import outcome_of
    from ..reports.writer import render_page
    from ..scenario.pyproject import find_project
    from .compare import compare_with, exit_code_of

    for name in ("threshold", "compare"):
        if getattr(options, name) and options.reference is None:
            raise UsageError(f"--{name} is for a comparison: give a --reference as well")
    if len(options.logs) > 1 and options.output is None:
        raise UsageError("of several logs: give an --output for the page, so that it replaces that of none of them")
    files = [read_log(log_in(path) or path) for path in options.logs]
    file, code = max(files, key=lambda each: str(each.log.metadata.timestamp)), DONE
    project, folder = find_project("."), os.path.dirname(file.path)
    reference: tuple[LogFile, Pictures] | None = None
    log, outcome = file.log, outcome_of(file.log)
    if options.reference is not None:
        path = log_in(options.reference) or options.reference
        file_of_reference = read_log(path)
        outcome, record = compare_with(file_of_reference, file, project, options, terminal)
        code = exit_code_of(outcome, file, terminal)
        verdict = "incomplete" if log.verdict == "incomplete" else outcome.verdict
        outcome = replace(outcome, verdict=verdict, from_cache=len(log.metadata.from_cache))
        log = replace(log, verdict=outcome.verdict, reference=record, findings=outcome.findings)
        reference = file_of_reference, read_pictures(pictures_beside(path))
    output = folder if options.output is None else options.output
    prepare_folder(output or ".")
    if found := strangers_beside(file):
        terminal.note(found)
    pictures = read_pictures(pictures_beside(file.path))
    page = render_page(log, file.sha256, pictures, reference, outcome, [each.log for each in files])
    write_artifact(os.path.join(output, PAGE), page)
    terminal.say(f"Look at {printable(os.path.join(output, PAGE))}.")
    return code
