"""The command line: ``d0parity log``, ``compare``, ``report``, ``demo``, ``schema``."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from .options import add_options, add_threshold_option, split_names
from .project import Project, ProjectError, find_project
from .scenario import DEFAULT_ID, Scenario, ScenarioError, default_output, make_scenario, thresholds_of
from .text import printable

if TYPE_CHECKING:
    from .evidence import EvidenceLog, Reference
    from .recorded import Recorded
    from .reports import Outcome
    from .terminal import Terminal

__all__ = ["DONE", "DRIFT", "INTERRUPTED", "UNREADABLE", "log_main", "main"]

# What a subcommand needs is imported when it runs, so that --help and schema answer at once.

DONE = 0
UNREADABLE = 1
WRONG_USAGE = 2
DRIFT = 3
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
        The exit code: 0 done, 1 something could not be read or written, 2 wrong usage (argparse itself
        leaves by `SystemExit` with it), 3 drift, 130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="d0parity", description="Evidence that two sides hold the same photon-dose sweep, probe and parameters."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('pytest-d0parity')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    log = commands.add_parser("log", help="record a sweep and its params", description=_LOG)
    _add_log_options(log)
    log.set_defaults(run=_log)

    compare = commands.add_parser("compare", help="compare a log with a reference", description=_COMPARE)
    compare.add_argument("reference", metavar="REFERENCE", help="the evidence log that is trusted")
    compare.add_argument("log", metavar="LOG", help="the evidence log that is compared with it")
    add_threshold_option(compare.add_argument)
    compare.add_argument(
        "--format", choices=("table", "markdown", "json"), default="table", help="how to tell (%(default)s)"
    )
    compare.set_defaults(run=_compare)

    report = commands.add_parser(
        "report", help="make the page for people who look, from logs alone", description=_REPORT
    )
    report.add_argument("log", metavar="LOG", help="the evidence log that is shown")
    report.add_argument("--reference", metavar="LOG", help="the evidence log that it is compared with")
    add_threshold_option(report.add_argument)
    report.add_argument("--output", metavar="DIR", help="where the page goes (beside LOG)")
    report.set_defaults(run=_report)

    demo = commands.add_parser(
        "demo", help="simulate a small sweep and show record, match and drift", description=_DEMO
    )
    demo.add_argument("--output", default="d0parity-demo", metavar="DIR", help="where the sweep goes (%(default)s)")
    demo.add_argument("--frames", type=_positive, default=200, metavar="N", help="patterns per dose (%(default)s)")
    doses = "1e3,1e4,1e5,1e6,1e7,1e8,1e9"
    demo.add_argument(
        "--doses", type=_doses, default=_doses(doses), metavar="D,D", help=f"photons per pattern ({doses})"
    )
    demo.add_argument("--seed", type=_natural, default=0, help="the same seed gives the same sweep (%(default)s)")
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
_COMPARE = (
    "Compare two evidence logs: what differs, by how much, and where it starts. Exit code 3 means drift. "
    "The thresholds of the project that you stand in count as well."
)
_REPORT = (
    "Make dose_parity_report.html from a log and the probes.npz beside it; the data are not needed. With a reference "
    "the log is compared anew, as by 'compare', and exit code 3 means drift. Needs the extra 'report'."
)
_DEMO = "Simulate a small sweep with real physics and show on it what recorded, match and drift look like."
_SCHEMA = "Print the JSON Schema (2020-12) of dose_parity_log.json."


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _add_log_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario-id",
        default=DEFAULT_ID,
        metavar="ID",
        help="name of the scenario; may name a table [tool.d0parity.scenarios.ID] in pyproject.toml (%(default)s)",
    )
    add_options(parser.add_argument)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="processes that measure at once, or auto: one for each core that the work is worth (auto)",
    )
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="have a Dask cluster measure, which sees the same paths: tcp://host:8786"
    )
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
    from .terminal import Terminal

    with Terminal(quiet=options.quiet, progress=options.progress) as terminal:
        try:
            project = find_project(".")
            scenario = make_scenario(project, options.scenario_id, vars(options))
        except (ProjectError, ScenarioError) as error:
            terminal.error(str(error))
            return WRONG_USAGE
        return _record(scenario, options.output or default_output(project), options, terminal)


def _record(scenario: Scenario, output: str, options: argparse.Namespace, terminal: Terminal) -> int:
    """Capture a scenario, write its log, and say what came of it."""
    from .cache import users_cache
    from .crew import Crew, crew_size

    cache = None if options.no_cache else users_cache(terminal.note)
    # Before anything else is imported: the helpers do that at the same time as this process.
    with Crew(0 if options.cluster else crew_size(options.jobs, _sizes(scenario), cache)) as crew:
        from .capture import CaptureInterrupted, capture_evidence
        from .cluster import ClusterError, cluster_or
        from .logfile import LogError
        from .reports import ReportError, prepare_folder

        try:
            prepare_folder(output)
            with cluster_or(crew, options.cluster) as workforce:
                log, code = capture_evidence(scenario, terminal, workforce=workforce, cache=cache), DONE
        except (ReportError, LogError, ClusterError) as error:
            terminal.error(str(error))
            return UNREADABLE
        except CaptureInterrupted as interrupt:
            log, code = interrupt.log, INTERRUPTED
    written = _write(scenario, log, output, options.history, terminal)
    if code == DONE and (log.has_errors or not written or log.verdict == "incomplete"):
        return UNREADABLE
    return DRIFT if code == DONE and log.verdict == "drift" else code


def _sizes(scenario: Scenario) -> dict[str, int]:
    """Bytes of the datasets, as far as a glance at the folder tells."""
    from .sweep import SweepError, list_sweep

    sizes = {}
    with contextlib.suppress(SweepError):
        for name in scenario.limit_datasets or list_sweep(scenario.root_path):
            with contextlib.suppress(OSError):
                sizes[name] = os.stat(scenario.dataset_path(name)).st_size
    return sizes


def _write(scenario: Scenario, log: EvidenceLog, output: str, history: str | None, terminal: Terminal) -> bool:
    from .reports import (
        HistoryError,
        ReportError,
        append_to_history,
        append_to_step_summary,
        write_page,
        write_reports,
    )

    def attempt(step: Callable[[], object]) -> bool:
        try:
            step()
        except (ReportError, HistoryError) as error:
            terminal.error(str(error))
            return False
        return True

    def write_and_note() -> None:
        if no_page := write_page(log, output, scenario.reference_path, scenario.dataset_path):
            terminal.say(f"note: {no_page}")

    written = attempt(lambda: write_reports(log, output, scenario.reference_path))
    shown = attempt(write_and_note)
    terminal.done(log, output if written else None)
    told = attempt(lambda: append_to_step_summary(log))
    kept = history is None or attempt(lambda: append_to_history(history, log, output))
    return written and shown and told and kept


def _compare(options: argparse.Namespace) -> int:
    return _with_logs(options, _compare_logs)


def _with_logs(options: argparse.Namespace, work: Callable[[argparse.Namespace, Project, Terminal], int]) -> int:
    """Do something with logs, and say in words why it cannot be done."""
    from .logfile import LogError
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
    from .logfile import read_log
    from .recorded import recorded_file
    from .reports import sweep_table

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
    from .drift import read_yardstick
    from .reports import Outcome

    yardstick = read_yardstick(path)
    # The side that is trusted decides how strictly the other is looked at.
    thresholds = thresholds_of(project, yardstick.values.scenario_id, options.threshold)
    yardstick = replace(yardstick, thresholds=thresholds)
    comparison = yardstick.compare(run.values)
    for problem in yardstick.unused_thresholds(run.values):
        terminal.problem(problem)
    record = yardstick.record_beside(run.values.checks)
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


def _report(options: argparse.Namespace) -> int:
    return _with_logs(options, _show)


def _show(options: argparse.Namespace, project: Project, terminal: Terminal) -> int:
    """Write the page of a log, compared with a reference where one is given."""
    from .logfile import read_log
    from .recorded import recorded_file
    from .reports import PAGE, ReportError, outcome_of, prepare_folder, write_page_of

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


def _demo(options: argparse.Namespace) -> int:
    from .demo import DemoError, run_demo
    from .terminal import Terminal

    with Terminal() as terminal:
        try:
            run_demo(options.output, options.doses, options.frames, options.seed, terminal)
        except DemoError as error:
            terminal.error(str(error))
            return UNREADABLE
    return DONE


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


def _jobs(text: str) -> int | None:
    return None if text == "auto" else _positive(text)


def _doses(text: str) -> tuple[str, ...]:
    doses = split_names(text)
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
