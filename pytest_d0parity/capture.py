"""A scenario captured as an evidence log."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .drift import Yardstick, judge, read_yardstick
from .evidence import Dataset, EvidenceLog, Metadata, Problem, Scalar
from .measurement import Measurement, measure
from .params import ParamsError, read_baseline, read_params
from .photons import Photons
from .provenance import MACHINE, TOOL, git_state, timestamp
from .scenario import Scenario
from .sweep import PATTERN, SweepError, dose_of, dose_text, list_sweep, same_doses, sort_by_dose
from .text import printable, valid_utf8
from .values import values_of_dataset

__all__ = [
    "BaselineRun",
    "CaptureInterrupted",
    "Choice",
    "Listener",
    "assemble",
    "capture_dataset",
    "capture_evidence",
    "choose_datasets",
    "read_baseline_run",
    "yardstick_of",
]


class Listener:
    """Somebody who is told how a capture goes on; this one does not care."""

    def problem(self, problem: Problem) -> None:
        """Hear of something that was found just now."""

    def planned(self, datasets: Sequence[tuple[str, int]]) -> None:
        """Hear which datasets will be measured, in this order, and how many bytes each has."""

    def progress(self, filename: str, share: float) -> None:
        """Hear which share of the work on a dataset is done."""


_NOBODY = Listener()


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
    recovered : dict of str to str
        See `Metadata.params_recovered`.
    parameters, metrics : dict
        As in the log.
    problems : tuple of Problem
    """

    read: Literal["safe", "trusted"] | None = None
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


def capture_evidence(scenario: Scenario, listener: Listener = _NOBODY) -> EvidenceLog:
    """Look at everything that a scenario names, record it, and compare it with the reference, if one is named.

    Parameters
    ----------
    scenario : Scenario
        What to look at.
    listener : Listener, optional
        Told of problems and progress while they happen.

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
    yardstick = yardstick_of(scenario)
    # Params first: a typo in their path is told before hours of reading.
    run = read_baseline_run(scenario)
    _tell(listener, run.problems)
    choice = choose_datasets(scenario)
    _tell(listener, choice.problems)
    datasets: list[Dataset] = []
    try:
        listener.planned([(name, _size(scenario.dataset_path(name))) for name in choice.filenames])
        for filename in choice.filenames:
            dataset = capture_dataset(scenario, filename, yardstick, _progress_of(filename, listener.progress))
            _tell(listener, dataset.problems)
            datasets.append(dataset)
    except KeyboardInterrupt:
        raise CaptureInterrupted(assemble(scenario, run, choice, datasets)) from None
    log = assemble(scenario, run, choice, datasets)
    if yardstick is None:
        return log
    judged = judge(log, yardstick)
    _tell(listener, judged.problems[len(log.problems) :])
    return judged


def _tell(listener: Listener, problems: Iterable[Problem]) -> None:
    for problem in problems:
        listener.problem(problem)


def yardstick_of(scenario: Scenario) -> Yardstick | None:
    """Read the reference of a scenario, as far as it is about the same datasets.

    Raises
    ------
    LogError
        If it cannot be read.
    """
    if scenario.reference_path is None:
        return None
    yardstick = read_yardstick(scenario.reference_path, scenario.thresholds, scenario.reference)
    return yardstick.limited_to(scenario.limit_datasets)


def assemble(
    scenario: Scenario, run: BaselineRun, choice: Choice, datasets: Sequence[Dataset], folder: str = "."
) -> EvidenceLog:
    """Make a log of what was captured; an incomplete one where a dataset that was asked for is missing.

    Parameters
    ----------
    scenario, run, choice, datasets
        What was captured.
    folder : str
        Whose repository is recorded.
    """
    measured = {dataset.filename for dataset in datasets}
    missing = [printable(name) for name in choice.filenames if name not in measured]
    problems = run.problems + choice.problems
    if missing:
        message = f"these were not measured in this run: {', '.join(missing)}"
        problems += (Problem(severity="error", where="datasets", message=message),)
    return EvidenceLog(
        metadata=_metadata(scenario, run, folder),
        baseline_params=run.parameters,
        metrics=run.metrics,
        datasets=tuple(datasets),
        total_datasets=len(datasets),
        verdict="incomplete" if missing or choice.has_errors else "recorded",
        problems=problems,
    )


def _metadata(scenario: Scenario, run: BaselineRun, folder: str) -> Metadata:
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
        params_recovered=run.recovered,
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


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def capture_dataset(
    scenario: Scenario,
    filename: str,
    yardstick: Yardstick | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Dataset:
    """Measure a dataset of a scenario.

    Parameters
    ----------
    scenario : Scenario
    filename : str
    yardstick : Yardstick, optional
        The reference. Where it has the same arrays in a file of other bytes, the CRC-32 of every array is
        verified, and not only read from the archive's directory.
    progress : callable, optional
        Told which share of the work is done.
    """

    def suspect(measurement: Measurement) -> bool:
        return yardstick is not None and yardstick.is_repacked(
            valid_utf8(filename), values_of_dataset(_record(scenario, filename, measurement))
        )

    return _record(scenario, filename, measure(scenario.dataset_path(filename), progress, suspect))


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
        photons=photons,
        probe=measurement.probe,
        problems=_problems(filename, measurement, photons),
    )


def _progress_of(filename: str, tell: Callable[[str, float], None]) -> Callable[[float], None]:
    return lambda share: tell(filename, share)


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
