"""``d0parity compare`` and ``d0parity report``: what needs logs alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..scenario.options import add_threshold_option
from ..util.text import printable
from .arguments import DONE, DRIFT, UNREADABLE, WRONG_USAGE

if TYPE_CHECKING:
    from ..compare.log_view import Recorded
    from ..evidence.model import Reference
    from ..reports.outcome import Outcome
    from ..scenario.pyproject import Project
    from .terminal import Terminal


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of ``compare``."""
    parser.description = (
        "Compare two evidence logs: what differs, by how much, and where it starts. Exit code 3 means drift. "
        "The thresholds of the project that you stand in count as well."
    )
    parser.add_argument("reference", metavar="REFERENCE", help="the evidence log that is trusted")
    parser.add_argument("log", metavar="LOG", help="the evidence log that is compared with it")
    add_threshold_option(parser.add_argument)
    parser.add_argument(
        "--format", choices=("table", "markdown", "json"), default="table", help="how to tell (%(default)s)"
    )
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    return _with_logs(options, _compare_logs)


def _with_logs(options: argparse.Namespace, work: Callable[[argparse.Namespace, Project, Terminal], int]) -> int:
    """Do something with logs, and say in words why it cannot be done."""
    from ..evidence.file import LogError
    from ..scenario.pyproject import ProjectError, find_project
    from .terminal import Terminal

    with Terminal() as terminal:
        try:
            return work(options, find_project("."), terminal)
        except ProjectError as error:
            terminal.error(str(error))
            return WRONG_USAGE
        except LogError as error:
            terminal.error(str(error))
            return UNREADABLE


def _compare_logs(options: argparse.Namespace, project: Project, terminal: Terminal) -> int:
    from ..compare.log_view import recorded_file
    from ..evidence.file import read_log
    from ..reports.sweep_table import sweep_table

    run = recorded_file(read_log(options.log))
    outcome, _ = _outcome_beside(options.reference, run, options, project, terminal)
    terminal.say(outcome.told_as(options.format))
    if options.format == "table":
        terminal.say(f"\n{sweep_table(run, outcome)}")
    return _code_of(outcome, run, terminal)


def _outcome_beside(
    path: str, run: Recorded, options: argparse.Namespace, project: Project, terminal: Terminal
) -> tuple[Outcome, Reference]:
    """Compare a log with a reference."""
    from ..compare.comparator import read_comparator
    from ..reports.outcome import Outcome
    from ..scenario.scenario import thresholds_of

    comparator = read_comparator(path)
    # The side that is trusted decides how strictly the other is looked at.
    thresholds = thresholds_of(project, comparator.values.scenario_id, options.threshold)
    comparator = replace(comparator, thresholds=thresholds)
    comparison = comparator.compare(run.values)
    for problem in comparator.unused_thresholds(run.values):
        terminal.problem(problem)
    record = comparator.record_beside(run.values.checks)
    outcome = Outcome(
        verdict=comparison.verdict,
        differences=comparison.differences,
        filenames=tuple(run.datasets),
        reference=path,
        left_out=record.left_out,
        verified=False,
    )
    return outcome, record


def _code_of(outcome: Outcome, run: Recorded, terminal: Terminal) -> int:
    """Give the exit code of a comparison of two logs."""
    if run.values.has_errors:
        terminal.error(f"{printable(run.path)} itself says that something could not be read, so parity is not shown")
        return UNREADABLE
    return {"drift": DRIFT, "incomplete": UNREADABLE}.get(outcome.verdict, DONE)
