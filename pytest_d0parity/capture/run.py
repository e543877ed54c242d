"""The capture of a scenario as an evidence log."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..evidence.dataset import Problem, by_dose
from ..evidence.file import LogFile
from ..evidence.model import EvidenceLog, Metadata
from ..scenario.scenario import Scenario
from ..statistics.frames.frame_pictures import FramePictures
from ..util.progress import NO_LISTENER, Listener
from ..util.provenance import MACHINE, TOOL, GitQuery, timestamp
from ..util.text import printable, valid_utf8
from .baseline_run import BaselineRun, read_baseline_run
from .cache import MeasurementCache
from .executor import Executor, ExecutorError
from .job import CaptureJob, CaptureResult
from .local_pool import LocalPool
from .records.acceptance import unused_acceptances
from .records.sweep_record import sweep_record
from .selection import DatasetSelection, expects_probe, select_datasets, sizes_of

if TYPE_CHECKING:
    from ..comparison.comparator import Comparator
    from ..comparison.compare_log import BothFrames

# What compares is imported where there is a reference.


class CaptureInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped the capture.

    Attributes
    ----------
    log : EvidenceLog
        An incomplete log of the datasets that were finished.
    pictures : dict of str to FramePictures
        What a page shows of their frames, by file name.
    planned : int
        Number of datasets that there would have been.
    """

    def __init__(self, log: EvidenceLog, pictures: Mapping[str, FramePictures], planned: int) -> None:
        super().__init__()
        self.log = log
        self.pictures = pictures
        self.planned = planned


def capture_evidence(
    scenario: Scenario,
    listener: Listener = NO_LISTENER,
    *,
    executor: Executor | None = None,
    cache: MeasurementCache | None = None,
    references: Sequence[LogFile] | None = None,
) -> EvidenceLog:
    """Capture a scenario, and compare it with its reference if it names one.

    Parameters
    ----------
    scenario : Scenario
        Which datasets and params to capture.
    listener : Listener, optional
        Notified of problems and progress.
    executor : Executor, optional
        What captures the datasets; by default this process. The log does not depend on it.
    cache : MeasurementCache, optional
        Where measurements are looked up and saved; by default nowhere.
    references : sequence of LogFile, optional
        The logs that the scenario names as its references, if the caller has read them already.

    Returns
    -------
    EvidenceLog
        With all that could be read. Whatever could not is among its problems.

    Raises
    ------
    LogError
        If the reference cannot be read. It is read first.
    CaptureInterrupted
        On Ctrl-C.
    """
    return capture_with_pictures(scenario, listener, executor=executor, cache=cache, references=references)[0]


def capture_with_pictures(
    scenario: Scenario,
    listener: Listener = NO_LISTENER,
    *,
    executor: Executor | None = None,
    cache: MeasurementCache | None = None,
    references: Sequence[LogFile] | None = None,
) -> tuple[EvidenceLog, Mapping[str, FramePictures]]:
    """Capture a scenario: see `capture_evidence`. Return what a page shows of the frames as well, by file name."""
    with GitQuery() as git:
        return _capture(scenario, listener, executor or LocalPool(), cache, references, git)


def _capture(
    scenario: Scenario,
    listener: Listener,
    executor: Executor,
    cache: MeasurementCache | None,
    references: Sequence[LogFile] | None,
    git: GitQuery,
) -> tuple[EvidenceLog, Mapping[str, FramePictures]]:
    comparator = _comparator_for(scenario, references) if scenario.references or references else None
    # The params come first, since a wrong path is then reported at once, and not after all datasets.
    baseline_run = read_baseline_run(scenario)
    _report(listener, baseline_run.problems)
    selection = select_datasets(scenario)
    _report(listener, selection.problems)
    sizes = sizes_of(scenario, selection.filenames)
    captured: dict[str, CaptureResult] = {}
    try:
        listener.planned(list(sizes.items()))
        job = make_job(scenario, selection, comparator, cache)
        for filename, result in executor.capture(job, sizes, listener.progress):
            captured[filename] = result  # first: what was told must not be lost to a Ctrl-C in between
            _report(listener, result.dataset.problems)
    except KeyboardInterrupt:
        log = build_log(scenario, baseline_run, selection, captured, git)
        raise CaptureInterrupted(log, pictures_of(captured), len(selection.filenames)) from None
    except ExecutorError as error:
        lost = Problem(severity="error", name="unmeasured", where="cluster", message=str(error))
        _report(listener, [lost])
        selection = replace(selection, problems=(*selection.problems, lost))
    log = build_log(scenario, baseline_run, selection, captured, git)
    if comparator is None:
        return log, pictures_of(captured)
    from ..comparison.compare_log import compare_log

    pictures = pictures_of(captured)
    compared = compare_log(log, comparator, both_frames(scenario, log, pictures))
    _report(listener, compared.problems[len(log.problems) :])
    return compared, pictures


def both_frames(scenario: Scenario, log: EvidenceLog, pictures: Mapping[str, FramePictures]) -> BothFrames | None:
    """Return how the mean patterns of the reference, and those of a run, given by file name, are to be had."""
    path = scenario.reference_path
    if path is None:
        return None
    from ..evidence.pictures import frames_beside, frames_by_hash

    return lambda: frames_beside(path), lambda: frames_by_hash(log, pictures)


def pictures_of(captured: Mapping[str, CaptureResult]) -> dict[str, FramePictures]:
    """Return what a page shows of the frames of datasets, by file name."""
    return {name: result.pictures for name, result in captured.items() if result.pictures is not None}


def _comparator_for(scenario: Scenario, references: Sequence[LogFile] | None) -> Comparator | None:
    from ..comparison.compare_log import comparator_for, read_references  # which take long to import

    return comparator_for(scenario, read_references(scenario) if references is None else references)


def make_job(
    scenario: Scenario, selection: DatasetSelection, comparator: Comparator | None, cache: MeasurementCache | None
) -> CaptureJob:
    """Return the job that captures the selected datasets."""
    probes = expects_probe(scenario, selection.filenames, comparator)
    return CaptureJob(scenario, comparator, cache, selection.claims, probes)


def _report(listener: Listener, problems: Iterable[Problem]) -> None:
    for problem in problems:
        listener.problem(problem)


def build_log(
    scenario: Scenario,
    baseline_run: BaselineRun,
    selection: DatasetSelection,
    captured: Mapping[str, CaptureResult],
    git: GitQuery,
) -> EvidenceLog:
    """Return the log of what was captured. It is incomplete if a dataset that was asked for is missing.

    Parameters
    ----------
    scenario, baseline_run, selection
        What was captured.
    captured : mapping of str to CaptureResult
        The datasets that were finished, in any order, by file name.
    git : GitQuery
        Knows the commit that is recorded.
    """
    finished = [captured[name] for name in selection.filenames if name in captured]
    missing = [printable(name) for name in selection.filenames if name not in captured]
    datasets = by_dose(result.dataset for result in finished)
    problems = baseline_run.problems + selection.problems
    if missing:
        message = f"these were not measured in this run: {', '.join(missing)}"
        problems += (Problem(severity="error", name="unmeasured", where="datasets", message=message),)
    elif scenario.limit_datasets is None:
        problems += tuple(unused_acceptances(scenario.layout, problems, datasets))
    torn = any(
        problem.name == "unmeasured" and problem.where == dataset.filename
        for dataset in datasets
        for problem in dataset.problems
    )  # as one that somebody wrote to while it was read: what was found shows no parity
    complete = not missing and not torn and not selection.has_errors and baseline_run.is_complete
    return EvidenceLog(
        metadata=_metadata(scenario, baseline_run, finished, git),
        params=baseline_run.params,
        baseline_params=baseline_run.parameters,
        metrics=baseline_run.metrics,
        datasets=datasets,
        attachments=baseline_run.attachments,
        sweep=sweep_record(datasets),
        total_datasets=len(finished),
        verdict="recorded" if complete else "incomplete",
        problems=problems,
    )


def _metadata(
    scenario: Scenario, baseline_run: BaselineRun, finished: Sequence[CaptureResult], git: GitQuery
) -> Metadata:
    sha, dirty = git.state
    return Metadata(
        scenario_id=scenario.scenario_id,
        compare=scenario.compare,
        layout=scenario.layout,
        dataset_root=scenario.dataset_root,
        baseline_params=scenario.baseline_params,
        timestamp=timestamp(),
        git_sha=sha,
        git_dirty=dirty,
        tool=TOOL,
        python=platform.python_version(),
        numpy=np.__version__,
        platform=MACHINE,
        params_read=baseline_run.read,
        params_sha256=baseline_run.sha256,
        params_recovered=baseline_run.recovered,
        from_cache=tuple(valid_utf8(result.dataset.filename) for result in finished if result.from_cache),
    )
