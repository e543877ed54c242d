"""A scenario captured as an evidence log."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Protocol

import numpy as np

from ..compare.comparator import Comparator, compare_log, read_comparator
from ..compare.values import values_of_dataset
from ..evidence.model import Dataset, EvidenceLog, Metadata, Problem, Scalar
from ..readers.params.baseline import read_baseline
from ..readers.params.reader import ParamsError, read_params
from ..scenario.scenario import Scenario
from ..scenario.sweep import PATTERN, SweepError, dose_of, dose_text, list_sweep, same_doses, sort_by_dose
from ..statistics.photons import Photons
from ..util.files import size_of
from ..util.progress import NOBODY, Listener
from ..util.provenance import MACHINE, TOOL, git_state, timestamp
from ..util.text import printable, valid_utf8
from .cache import MeasurementCache
from .local_pool import Crew
from .measurement import Measurement, inspect, measure


class CaptureInterrupted(KeyboardInterrupt):
    """The user stopped the capture; `log` holds what was finished."""

    def __init__(self, log: EvidenceLog) -> None:
        super().__init__()
        self.log = log


@dataclass(frozen=True)
class BaselineRun:
    """What the params file of the baseline run says.

    Attributes
    ----------
    read : str or None
        ``safe``, ``trusted``, or None where no file was read.
    sha256 : str or None
        Of the file.
    recovered : dict of str to str
        See `Metadata.params_recovered`.
    parameters, metrics : dict
        As in the log.
    problems : tuple of Problem
    """

    read: Literal["safe", "trusted"] | None = None
    sha256: str | None = None
    recovered: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, tuple[Scalar, Scalar]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Which datasets a scenario is about, sorted by dose, and what is wrong with the sweep as a whole."""

    filenames: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether something that was asked for is not there."""
        return any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class Captured:
    """A dataset, and whether it is known from the cache instead of measured anew."""

    dataset: Dataset
    known: bool


@dataclass(frozen=True)
class Assignment:
    """All that a process needs to know to capture datasets.

    Attributes
    ----------
    scenario : Scenario
    comparator : Comparator or None
        The reference. Where it has the same arrays in a file of other bytes, the CRC-32 of every array is
        verified, and not only read from the archive's directory.
    cache : MeasurementCache or None
    """

    scenario: Scenario
    comparator: Comparator | None = None
    cache: MeasurementCache | None = None

    def sent_for(self, filename: str) -> Assignment:
        """Give as much of it as one dataset needs, for a process that stands somewhere else."""
        # What is as long as the sweep has datasets would be sent with each of them.
        comparator = self.comparator and self.comparator.limited_to((filename,))
        folder = os.path.abspath(self.scenario.folders.get("dataset_root", ""))
        folders = {**self.scenario.folders, "dataset_root": folder}
        return replace(
            self,
            scenario=replace(self.scenario, limit_datasets=None, thresholds=(), folders=folders),
            comparator=comparator and replace(comparator, record=replace(comparator.record, left_out=())),
        )

    def capture(
        self, filename: str, progress: Callable[[float], None] = lambda _: None, *, overlap: bool = False
    ) -> Captured:
        """Measure a dataset, or recall it.

        Parameters
        ----------
        filename : str
        progress : callable, optional
            Told which share of the work is done.
        overlap : bool
            Use more than one core for it.
        """
        path = self.scenario.dataset_path(filename)
        suspect = partial(self._suspects, filename)
        measurement, known = measure(path, progress, suspect, self.cache, overlap=overlap)
        return Captured(_record(self.scenario, filename, measurement), known)

    def inspect(self, filename: str) -> Dataset:
        """Look at a dataset without measuring it: hash, size, and its arrays."""
        measurement = inspect(self.scenario.dataset_path(filename), partial(self._suspects, filename))
        return _record(self.scenario, filename, measurement)

    def _suspects(self, filename: str, measurement: Measurement) -> bool:
        """Whether a file looks repacked, so that all of it must be inflated to see that it is."""
        return self.comparator is not None and self.comparator.is_repacked(
            valid_utf8(filename), values_of_dataset(_record(self.scenario, filename, measurement))
        )


class WorkforceLost(RuntimeError):  # noqa: N818 - it says what has happened
    """Those who captured datasets have not captured all of them, said in words."""


class Workforce(Protocol):
    """Those who capture datasets: `crew.Crew`, or `cluster.Cluster`."""

    def capture(
        self, assignment: Assignment, sizes: Mapping[str, int], progress: Callable[[str, float], None]
    ) -> Iterator[tuple[str, Captured]]:
        """Capture datasets, of these sizes in bytes, and give each one as soon as it is done.

        Raises
        ------
        WorkforceLost
            If some could not be captured, after all others were.
        """


def capture_evidence(
    scenario: Scenario,
    listener: Listener = NOBODY,
    *,
    workforce: Workforce | None = None,
    cache: MeasurementCache | None = None,
) -> EvidenceLog:
    """Look at everything that a scenario names, record it, and compare it with the reference, if one is named.

    Parameters
    ----------
    scenario : Scenario
        What to look at.
    listener : Listener, optional
        Told of problems and progress while they happen.
    workforce : Workforce, optional
        Who captures the datasets; by default this process alone. The log is the same whoever it is.
    cache : MeasurementCache, optional
        Where measurements are kept from run to run; by default none are.

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
    comparator = comparator_of(scenario)
    # Params first: a typo in their path is told before hours of reading.
    run = read_baseline_run(scenario)
    _tell(listener, run.problems)
    choice = choose_datasets(scenario)
    _tell(listener, choice.problems)
    sizes = sizes_of(scenario, choice.filenames)
    captured: dict[str, Captured] = {}
    try:
        listener.planned(list(sizes.items()))
        assignment = Assignment(scenario, comparator, cache)
        for filename, each in (workforce or Crew()).capture(assignment, sizes, listener.progress):
            _tell(listener, each.dataset.problems)
            captured[filename] = each
    except KeyboardInterrupt:
        raise CaptureInterrupted(assemble(scenario, run, choice, captured)) from None
    except WorkforceLost as error:
        lost = Problem(severity="error", where="cluster", message=str(error))
        _tell(listener, [lost])
        choice = replace(choice, problems=(*choice.problems, lost))
    log = assemble(scenario, run, choice, captured)
    if comparator is None:
        return log
    compared = compare_log(log, comparator)
    _tell(listener, compared.problems[len(log.problems) :])
    return compared


def sizes_of(scenario: Scenario, filenames: Iterable[str]) -> dict[str, int]:
    """Give the bytes of some datasets; zero for one that cannot be looked at."""
    return {name: size_of(scenario.dataset_path(name)) for name in filenames}


def _tell(listener: Listener, problems: Iterable[Problem]) -> None:
    for problem in problems:
        listener.problem(problem)


def comparator_of(scenario: Scenario) -> Comparator | None:
    """Read the reference of a scenario, as far as it is about the same datasets.

    Raises
    ------
    LogError
        If it cannot be read.
    """
    if scenario.reference_path is None:
        return None
    comparator = read_comparator(scenario.reference_path, scenario.thresholds, scenario.reference)
    return comparator.limited_to(scenario.limit_datasets)


def assemble(
    scenario: Scenario, run: BaselineRun, choice: Choice, captured: Mapping[str, Captured], folder: str = "."
) -> EvidenceLog:
    """Make a log of what was captured; an incomplete one where a dataset that was asked for is missing.

    Parameters
    ----------
    scenario, run, choice
        What was looked at.
    captured : mapping of str to Captured
        The datasets that were finished, in any order.
    folder : str
        Whose repository is recorded.
    """
    finished = [captured[name] for name in choice.filenames if name in captured]
    missing = [printable(name) for name in choice.filenames if name not in captured]
    problems = run.problems + choice.problems
    if missing:
        message = f"these were not measured in this run: {', '.join(missing)}"
        problems += (Problem(severity="error", where="datasets", message=message),)
    return EvidenceLog(
        metadata=_metadata(scenario, run, finished, folder),
        baseline_params=run.parameters,
        metrics=run.metrics,
        datasets=tuple(each.dataset for each in finished),
        total_datasets=len(finished),
        verdict="incomplete" if missing or choice.has_errors else "recorded",
        problems=problems,
    )


def _metadata(scenario: Scenario, run: BaselineRun, finished: Sequence[Captured], folder: str) -> Metadata:
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


def read_baseline_run(scenario: Scenario) -> BaselineRun:
    """Read the params file of a scenario; an empty record where it names none."""
    if scenario.params_path is None or scenario.baseline_params is None:
        return BaselineRun()
    try:
        params = read_params(scenario.params_path, trusted=scenario.trust_params, called=scenario.baseline_params)
    except ParamsError as error:
        return BaselineRun(problems=(Problem(severity="error", where="baseline_params", message=str(error)),))
    baseline = read_baseline(params.values)
    return BaselineRun(
        read="trusted" if params.trusted else "safe",
        sha256=params.sha256,
        recovered=params.recovered,
        parameters=baseline.parameters,
        metrics=baseline.metrics,
        problems=tuple(
            Problem(
                severity="warning",
                where=f"baseline_params:{key}",
                message=f"{key} in {printable(scenario.baseline_params)} {remark}",
            )
            for key, remark in baseline.remarks
        ),
    )


def choose_datasets(scenario: Scenario) -> Choice:
    """Choose the datasets to look at."""
    called = printable(scenario.dataset_root)
    try:
        there = list_sweep(scenario.root_path, scenario.dataset_root)
    except SweepError as error:
        return Choice((), (Problem(severity="error", where="dataset_root", message=str(error)),))
    names = there
    problems = []
    if scenario.limit_datasets is not None:
        found = dict.fromkeys(name for name in scenario.limit_datasets if _is_entry(scenario.root_path, name))
        listed = ", ".join(printable(name) for name in there) or "no datasets at all"
        problems = [
            Problem(
                severity="error",
                where="limit_datasets",
                message=f"{printable(name)} is not in {called}; there is: {listed}",
            )
            for name in scenario.limit_datasets
            if name not in found
        ]
        names = sort_by_dose(found)
    elif not there:
        message = f"no datasets: {called} holds no file named {PATTERN}"
        problems = [Problem(severity="error", where="dataset_root", message=message)]
    problems += [
        Problem(
            severity="warning",
            where="datasets",
            message=f"these claim one and the same dose: {', '.join(same)}; keep one of them",
        )
        for same in same_doses(names)
    ]
    told_apart: dict[str, str] = {}
    for name in names:
        if told_apart.setdefault(valid_utf8(name), name) != name:
            message = f"two files are both written {printable(name)} in a log, of which one is left out; rename it"
            problems.append(Problem(severity="error", where="datasets", message=message))
    return Choice(tuple(told_apart.values()), tuple(problems))


def _is_entry(root: str, name: str) -> bool:
    """Whether a name is that of something right in the folder, be it a link to nothing."""
    return os.path.basename(name) == name and name not in ("", ".", "..") and os.path.lexists(os.path.join(root, name))


def _record(scenario: Scenario, filename: str, measurement: Measurement) -> Dataset:
    photons = None if measurement.photons is None else measurement.photons.against(dose_of(filename))
    return Dataset(
        filename=filename,
        path=os.path.join(scenario.dataset_root, filename),
        photon_dose=dose_text(filename),
        sha256=measurement.sha256,
        size_bytes=measurement.size_bytes,
        arrays=measurement.arrays,
        stats=measurement.stats,
        histograms=measurement.histograms,
        scans=measurement.scans,
        photons=photons,
        probe=measurement.probe,
        problems=_problems(filename, measurement, photons),
    )


def _problems(filename: str, measurement: Measurement, photons: Photons | None) -> tuple[Problem, ...]:
    problems = [
        Problem(
            severity=finding.severity,
            where=f"{filename}:{finding.array}" if finding.array else filename,
            message=finding.message,
        )
        for finding in measurement.findings
    ]
    if dose_text(filename) is None:
        problems.append(
            Problem(
                severity="warning",
                where=filename,
                message="its name tells no dose (data_p<dose>.npz is expected, like data_p1e5.npz)",
            )
        )
    if photons is not None and photons.mislabelled:
        problems.append(
            Problem(
                severity="warning",
                where=f"{filename}:photons",
                message=f"its name claims {photons.expected:g} photons per pattern, but {photons.per_pattern:.6g} are "
                "counted in the data: it is mislabelled, or not the file it should be",
            )
        )
    return tuple(problems)
