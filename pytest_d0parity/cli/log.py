"""``d0parity log``: record a sweep."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from ..scenario.options import DEFAULT_ID, add_options
from ..util.text import counted, printable
from .arguments import DONE, DRIFT, UNREADABLE, add_terminal_options, jobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..capture.dask_cluster import DaskCluster
    from ..evidence.file import LogFile
    from ..evidence.model import EvidenceLog
    from ..scenario.scenario import Scenario
    from ..statistics.frames.frame_pictures import FramePictures
    from .terminal import Terminal


def add_log(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
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


def _log(options: argparse.Namespace, terminal: Terminal) -> int:
    from ..capture.cache import open_user_cache
    from ..capture.local_pool import LocalPool, pool_size
    from ..scenario.pyproject import find_project
    from ..scenario.scenario import default_output, make_scenario
    from ..scenario.sweep import sweep_sizes

    with _disowning(options):
        project = find_project(".")
        scenario = make_scenario(project, options.scenario_id, vars(options))
    output = options.output or default_output(project)
    cache = None if options.no_cache else open_user_cache(terminal.note)
    # Started before anything else is imported, so that workers and this process import at the same time.
    n_workers = 0 if options.cluster else pool_size(options.jobs, sweep_sizes(scenario), cache)
    pool = LocalPool(n_workers, terminal.note, threads=options.jobs, meanwhile=_import_what_publishes)
    with pool, contextlib.ExitStack() as stack:
        from ..capture.run import CaptureInterrupted, capture_with_pictures
        from ..evidence.artifacts import prepare_folder

        prepare_folder(output)
        references: tuple[LogFile, ...] = ()
        if scenario.references:
            from ..comparison.compare_log import read_references  # which takes long to import

            with _disowning(options):
                references = read_references(scenario)
        interrupted: CaptureInterrupted | None = None
        try:
            executor = pool if options.cluster is None else stack.enter_context(_cluster(options.cluster))
            log, pictures = capture_with_pictures(
                scenario, terminal, executor=executor, cache=cache, references=references
            )
        except CaptureInterrupted as interrupt:
            log, pictures, interrupted = interrupt.log, interrupt.pictures, interrupt
            kept = (
                "; those stand in the log"
                if cache is None
                else "; those are kept, and a rerun takes them from the cache"
            )
            measured = f"{log.total_datasets} of {counted(interrupt.planned, 'dataset')} measured"
            terminal.note(f"interrupted: {measured}{kept if log.total_datasets else ''}")
    if interrupted is None:
        _say_what_else_is_there(log, scenario, terminal)
    reference = references[0] if references else None
    is_published = _publish(log, pictures, scenario, output, reference, options.history, terminal)
    if interrupted is not None:
        raise interrupted
    if log.has_errors or not is_published or log.verdict == "incomplete":
        return UNREADABLE
    return DRIFT if log.verdict == "drift" else DONE


def _import_what_publishes() -> None:
    from ..handover import publish as _publish  # noqa: F401
    from ..reports.page import render as _render  # noqa: F401


@contextlib.contextmanager
def _disowning(options: argparse.Namespace) -> Iterator[None]:
    """Let the log of an earlier run not stay as if it were that of this one, which cannot do what it is asked."""
    from ..util.errors import ParityError

    try:
        yield
    except ParityError:
        from ..reports.writer import disown_log
        from ..scenario.pyproject import named_references
        from ..scenario.scenario import named_output

        output = named_output(options.output)
        if output is not None:
            with contextlib.suppress(ParityError):  # the run has failed, which is worse
                references = (*(options.reference or ()), *named_references("."))
                disown_log(output, references, "a later one could not begin", lambda _: None)
        raise


def _cluster(address: str) -> DaskCluster:
    from ..capture.dask_cluster import DaskCluster

    return DaskCluster(address)


def _say_what_else_is_there(log: EvidenceLog, scenario: Scenario, terminal: Terminal) -> None:
    """Name the NPZ files that were left aside; where no dataset was found, say what is there and how to log it."""
    from ..scenario.sweep import SweepError
    from .scan import note_left_aside, say_what_is_there

    with contextlib.suppress(SweepError):
        if log.datasets or scenario.limit_datasets is not None:
            note_left_aside(scenario, terminal)
            told = scenario.layout.metadata_key or scenario.layout.expression
            if told and log.datasets and not any(dataset.dose for dataset in log.datasets):
                where = "metadata" if scenario.layout.metadata_key else "name"
                n = counted(len(log.datasets), "dataset")
                terminal.note(f"dose {printable(told)!r} finds nothing in the {where} of {n}; no dose is judged")
        elif any(problem.where in ("dataset_root", "datasets") for problem in log.problems):
            say_what_is_there(scenario.root_path, terminal)


def _publish(
    log: EvidenceLog,
    pictures: Mapping[str, FramePictures],
    scenario: Scenario,
    output: str,
    reference: LogFile | None,
    history: str | None,
    terminal: Terminal,
) -> bool:
    from ..handover.publish import publish

    publication = publish(log, pictures, scenario, output, reference, terminal.note, history=history)
    for error in publication.errors:
        terminal.error(error)
    terminal.done(log, output if publication.is_written else None)
    return not publication.errors
