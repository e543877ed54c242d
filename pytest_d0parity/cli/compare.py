"""``d0parity compare``: compare two logs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..scenario.options import add_comparison_options
from ..util.text import printable
from .arguments import DONE, DRIFT, UNREADABLE

if TYPE_CHECKING:
    from ..evidence.drift import Reference
    from ..evidence.file import LogFile
    from ..reports.outcome import Outcome
    from ..scenario.pyproject import Project
    from .terminal import Terminal


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Compare two evidence logs: what differs, by how much, and where it starts. Exit code 3 means drift. "
        "The thresholds of the project that you stand in count as well."
    )
    parser.add_argument("reference", metavar="REFERENCE", help="the evidence log that is trusted")
    parser.add_argument("log", metavar="LOG", help="the evidence log that is compared with it")
    add_comparison_options(parser.add_argument)
    parser.add_argument(
        "--format", choices=("table", "markdown", "json"), default="table", help="how to tell (%(default)s)"
    )
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace, terminal: Terminal) -> int:
    from ..evidence.file import read_log
    from ..reports.sweep_table import sweep_table
    from ..scenario.pyproject import find_project

    project, file = find_project("."), read_log(options.log)
    outcome, _ = compare_with(read_log(options.reference), file, project, options, terminal)
    terminal.say(outcome.render(options.format))
    if options.format == "table":
        terminal.say(f"\n{sweep_table(file.log, outcome)}")
    return exit_code_of(outcome, file, terminal)


def compare_with(
    reference: LogFile, file: LogFile, project: Project, options: argparse.Namespace, terminal: Terminal
) -> tuple[Outcome, Reference]:
    """Compare a log with a reference.

    Parameters
    ----------
    project : Project
        Whose level and thresholds for the reference's scenario count.
    options : argparse.Namespace
        With those of the command line, which win.
    terminal : Terminal
        Told of thresholds without effect.

    Returns
    -------
    record : Reference
        As it stands in a log.
    """
    from ..compare.comparator import Comparator
    from ..compare.compare_log import explain
    from ..compare.values import values_of
    from ..reports.outcome import Outcome
    from ..scenario.scenario import level_of, thresholds_of

    observed = values_of(file.log)
    # The scenario of the trusted log names the thresholds.
    scenario_id = str(reference.log.metadata.scenario_id)
    thresholds = thresholds_of(project, scenario_id, options.threshold)
    comparator = Comparator.of(reference, thresholds, level_of(project, scenario_id, options.compare))
    comparison = comparator.compare(observed)
    for problem in comparator.problems(observed, comparison):
        terminal.problem(problem)
    record = comparator.record_beside(observed.checks, comparison)
    outcome = Outcome(
        verdict=comparison.verdict,
        differences=comparison.differences,
        findings=explain(comparator, observed, comparison),
        filenames=tuple(observed.datasets),
        reference=reference.path,
        left_out=record.left_out,
        not_compared=record.not_compared,
        compared=record.compared,
        verified=False,
    )
    return outcome, record


def exit_code_of(outcome: Outcome, file: LogFile, terminal: Terminal) -> int:
    """Return the exit code of a comparison of two logs; report a log that is incomplete itself."""
    if file.log.has_errors:
        terminal.error(f"{printable(file.path)} itself says that something could not be read, so parity is not shown")
        return UNREADABLE
    return {"drift": DRIFT, "incomplete": UNREADABLE}.get(outcome.verdict, DONE)
