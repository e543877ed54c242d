"""``d0parity compare``: compare two logs, or folders that are measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..scenario.options import DEFAULT_ID, add_comparison_options, add_layout_options
from ..util.errors import UsageError
from ..util.text import printable
from .arguments import DONE, DRIFT, UNREADABLE, add_terminal_options

if TYPE_CHECKING:
    from ..evidence.drift import Reference
    from ..evidence.file import LogFile
    from ..reports.outcome import Outcome
    from ..scenario.pyproject import Project
    from .terminal import Terminal


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Compare two evidence logs or folders: what differs, by how much, and where it starts. A folder that holds a "
        "log is that log; any other is measured, or taken from the cache where it is known. The thresholds of the "
        "project that you stand in count as well."
    )
    what = "a log, a folder, a pipe, or - for standard input"
    parser.add_argument("reference", metavar="REFERENCE", help=f"what is trusted: {what}")
    parser.add_argument("log", metavar="LOG", help=f"what is compared with it: {what}")
    add_comparison_options(parser.add_argument)
    parser.add_argument(
        "--scenario-id",
        default=DEFAULT_ID,
        metavar="ID",
        help="measure folders as the table [tool.d0parity.scenarios.ID] in pyproject.toml says",
    )
    add_layout_options(parser.add_argument)
    parser.add_argument(
        "--format", choices=("table", "markdown", "json"), default="table", help="how to tell (%(default)s)"
    )
    add_terminal_options(parser)
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace, terminal: Terminal) -> int:
    from ..reports.sweep_table import sweep_table
    from ..scenario.pyproject import find_project

    project = find_project(".")
    reference, file, notes = _sides(options, project, terminal)
    outcome, _ = compare_with(reference, file, project, options, terminal, notes=notes)
    (terminal.say_always if outcome.verdict == "drift" else terminal.say)(outcome.render(options.format))
    if options.format == "table":
        terminal.say(f"\n{sweep_table(file.log, outcome)}")
    return exit_code_of(outcome, file, terminal)


def _sides(options: argparse.Namespace, project: Project, terminal: Terminal) -> tuple[LogFile, LogFile, Sequence[str]]:
    """Read the logs; measure the folders that hold none. Say what was not looked at.

    Raises
    ------
    ParityError
        If one of them cannot be read or measured.
    """
    from ..api.source import STANDARD_INPUT, measure_folder, read_sides, scenario_of_folder
    from .scan import note_left_aside

    given = (options.reference, options.log)
    if given == (STANDARD_INPUT, STANDARD_INPUT):
        raise UsageError("standard input holds one log: name the other one by its path")
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        terminal.note(text)

    def measure(folder: str, other: LogFile | None) -> LogFile:
        scenario = scenario_of_folder(project, options.scenario_id, vars(options), folder, other)
        file = measure_folder(scenario, terminal, terminal.note)
        note_left_aside(scenario, terminal)
        return file

    return *read_sides(given, measure, note), notes


def compare_with(
    reference: LogFile,
    file: LogFile,
    project: Project,
    options: argparse.Namespace,
    terminal: Terminal,
    *,
    notes: Sequence[str] = (),
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
    notes : sequence of str
        What was not looked at, for the outcome.

    Returns
    -------
    record : Reference
        As it stands in a log.
    """
    from ..api.compare import judge
    from ..scenario.scenario import level_of, thresholds_of

    # The scenario of the trusted log names the thresholds.
    scenario_id = str(reference.log.metadata.scenario_id)
    thresholds = thresholds_of(project, scenario_id, options.threshold)
    level = level_of(project, scenario_id, options.compare)
    outcome, record, comparator, observed, comparison = judge(reference, file, level, thresholds, notes)
    for problem in comparator.problems(observed, comparison):
        terminal.problem(problem)
    return outcome, record


def exit_code_of(outcome: Outcome, file: LogFile, terminal: Terminal) -> int:
    """Return the exit code of a comparison of two logs; report a log that is incomplete itself."""
    if file.log.has_errors:
        terminal.error(f"{printable(file.path)} itself says that something could not be read, so parity is not shown")
        return UNREADABLE
    return {"drift": DRIFT, "incomplete": UNREADABLE}.get(outcome.verdict, DONE)
