"""A scenario captured as an evidence log."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..compare.comparator import comparator_for, compare_log, read_reference
from ..evidence.file import LogFile
from ..evidence.model import EvidenceLog, Metadata, Problem
from ..scenario.scenario import Scenario
from ..util.progress import NOBODY, Listener
from ..util.provenance import MACHINE, TOOL, git_state, timestamp
from ..util.text import printable, valid_utf8
from .baseline_run import BaselineRun, read_baseline_run
from .cache import MeasurementCache
from .executor import Executor, ExecutorError
from .job import CaptureJob, CaptureResult
from .local_pool import LocalPool
from .selection import DatasetSelection, select_datasets, sizes_of


class CaptureInterrupted(KeyboardInterrupt):
    """The user stopped the capture; `log` holds what was finished."""

    def __init__(self, log: EvidenceLog) -> None:
        super().__init__()
        self.log = log


def capture_evidence(
    scenario: Scenario,
    listener: Listener = NOBODY,
    *,
    executor: Executor | None = None,
    cache: MeasurementCache | None = None,
    reference: LogFile | None = None,
) -> EvidenceLog:
    """Look at everything that a scenario names, record it, and compare it with the reference, if one is named.

    Parameters
    ----------
    scenario : Scenario
        What to look at.
    listener : Listener, optional
        Told of problems and progress while they happen.
    executor : Executor, optional
        Who captures the datasets; by default this process alone. The log is the same whoever it is.
    cache : MeasurementCache, optional
        Where measurements are kept from run to run; by default none are.
    reference : LogFile, optional
        The log that the scenario names as its reference, where it was read already.

    Returns
    -------
    EvidenceLog
        With all that could be read. What could not is among its problems, never an exception.

    Raises
    ------
    LogError
        If the reference cannot be read; nothing else has been looked at then.
    CaptureInterrupted
        On Ctrl-C; it carries the log so far.
    """
    comparator = comparator_for(scenario, read_reference(scenario) if reference is None else reference)
    # Params first: a typo in their path is told before hours of reading.
    run = read_baseline_run(scenario)
    _tell(listener, run.problems)
    selection = select_datasets(scenario)
    _tell(listener, selection.problems)
    sizes = sizes_of(scenario, selection.filenames)
    captured: dict[str, CaptureResult] = {}
    try:
        listener.planned(list(sizes.items()))
        job = CaptureJob(scenario, comparator, cache)
        for filename, each in (executor or LocalPool()).capture(job, sizes, listener.progress):
            _tell(listener, each.dataset.problems)
            captured[filename] = each
    except KeyboardInterrupt:
        raise CaptureInterrupted(assemble(scenario, run, selection, captured)) from None
    except ExecutorError as error:
        lost = Problem(severity="error", where="cluster", message=str(error))
        _tell(listener, [lost])
        selection = replace(selection, problems=(*selection.problems, lost))
    log = assemble(scenario, run, selection, captured)
    if comparator is None:
        return log
    compared = compare_log(log, comparator)
    _tell(listener, compared.problems[len(log.problems) :])
    return compared


def _tell(listener: Listener, problems: Iterable[Problem]) -> None:
    for problem in problems:
        listener.problem(problem)


def assemble(
    scenario: Scenario,
    run: BaselineRun,
    selection: DatasetSelection,
    captured: Mapping[str, CaptureResult],
    folder: str = ".",
) -> EvidenceLog:
    """Make a log of what was captured; an incomplete one where a dataset that was asked for is missing.

    Parameters
    ----------
    scenario, run, choice
        What was looked at.
    captured : mapping of str to CaptureResult
        The datasets that were finished, in any order.
    folder : str
        Whose repository is recorded.
    """
    finished = [captured[name] for name in selection.filenames if name in captured]
    missing = [printable(name) for name in selection.filenames if name not in captured]
    problems = run.problems + selection.problems
    if missing:
        message = f"these were not measured in this run: {', '.join(missing)}"
        problems += (Problem(severity="error", where="datasets", message=message),)
    return EvidenceLog(
        metadata=_metadata(scenario, run, finished, folder),
        baseline_params=run.parameters,
        metrics=run.metrics,
        datasets=tuple(each.dataset for each in finished),
        total_datasets=len(finished),
        verdict="incomplete" if missing or selection.has_errors else "recorded",
        problems=problems,
    )


def _metadata(scenario: Scenario, run: BaselineRun, finished: Sequence[CaptureResult], folder: str) -> Metadata:
    sha, dirty = git_state(folder)
    return Metadata(
        scenario_id=scenario.scenario_id,
        dataset_root=scenario.dataset_root,
        baseline_params=scenario.baseline_params,
        timestamp=timestamp(),
        git_sha=sha,
        git_dirty=dirty,
        tool=TOOL,
        python=platform.python_version(),
        numpy=np.__version__,
        platform=MACHINE,
        params_read=run.read,
        params_sha256=run.sha256,
        params_recovered=run.recovered,
        from_cache=tuple(valid_utf8(each.dataset.filename) for each in finished if each.known),
    )
