"""``d0parity log``: record a sweep."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..scenario.options import DEFAULT_ID, add_options
from .arguments import DONE, DRIFT, INTERRUPTED, UNREADABLE, WRONG_USAGE, add_terminal_options, jobs

if TYPE_CHECKING:
    from ..evidence.model import EvidenceLog
    from ..scenario.scenario import Scenario
    from .terminal import Terminal


def add_log(parser: argparse.ArgumentParser) -> None:
    """Make a parser that of the command."""
    parser.description = (
        "Record every value of a photon-dose sweep and of the params of its baseline run in an evidence log."
    )
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
        type=jobs,
        metavar="N",
        help="processes that measure at once, or auto: one for each core that the work is worth (auto)",
    )
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="have a Dask cluster measure, which sees the same paths: tcp://host:8786"
    )
    add_terminal_options(parser)
    parser.set_defaults(run=_log)


def _log(options: argparse.Namespace) -> int:
    from ..scenario.pyproject import ProjectError, find_project
    from ..scenario.scenario import ScenarioError, default_output, make_scenario
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
    from ..capture.cache import users_cache
    from ..capture.local_pool import LocalPool, pool_size

    cache = None if options.no_cache else users_cache(terminal.note)
    # Before anything else is imported: the helpers do that at the same time as this process.
    with LocalPool(0 if options.cluster else pool_size(options.jobs, _sizes(scenario), cache)) as pool:
        from ..capture.dask_cluster import ClusterError, cluster_or_pool
        from ..capture.run import CaptureInterrupted, capture_evidence
        from ..evidence.artifacts import ReportError, prepare_folder
        from ..evidence.file import LogError

        try:
            prepare_folder(output)
            with cluster_or_pool(pool, options.cluster) as executor:
                log, code = capture_evidence(scenario, terminal, executor=executor, cache=cache), DONE
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
    from ..scenario.sweep import SweepError, list_sweep

    sizes = {}
    with contextlib.suppress(SweepError):
        for name in scenario.limit_datasets or list_sweep(scenario.root_path):
            with contextlib.suppress(OSError):
                sizes[name] = os.stat(scenario.dataset_path(name)).st_size
    return sizes


def _write(scenario: Scenario, log: EvidenceLog, output: str, history: str | None, terminal: Terminal) -> bool:
    from ..evidence.artifacts import ReportError
    from ..reports.history import HistoryError, append_to_history
    from ..reports.writer import append_to_step_summary, write_page, write_reports

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
