"""A scenario captured as an evidence log."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .evidence import Dataset, EvidenceLog, Metadata, Problem
from .measurement import Measurement, measure
from .params import Baseline, Params, ParamsError, read_baseline, read_params
from .photons import Photons
from .provenance import MACHINE, TOOL, git_state, timestamp
from .scenario import Scenario
from .sweep import PATTERN, SweepError, dose_of, dose_text, list_sweep, same_doses, sort_by_dose
from .text import printable

__all__ = ["CaptureInterrupted", "Listener", "capture_evidence"]


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


@dataclass
class _Findings:
    """The problems of the whole, told as they are found."""

    listener: Listener
    problems: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.listener.problem(problem)

    def error(self, where: str, message: str) -> None:
        self.add(Problem(severity="error", where=where, message=message))

    def warning(self, where: str, message: str) -> None:
        self.add(Problem(severity="warning", where=where, message=message))


def capture_evidence(scenario: Scenario, listener: Listener = _NOBODY) -> EvidenceLog:
    """Look at everything that a scenario names, and record it.

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
    CaptureInterrupted
        On Ctrl-C; it carries the log so far.
    """
    findings = _Findings(listener)
    # Params first: a typo in their path is told before hours of reading.
    params, baseline = _read_baseline(scenario, findings)
    filenames = _select(scenario, findings)
    datasets: list[Dataset] = []

    def log() -> EvidenceLog:
        return EvidenceLog(
            metadata=_metadata(scenario, params),
            baseline_params=baseline.parameters,
            metrics=baseline.metrics,
            datasets=tuple(datasets),
            total_datasets=len(datasets),
            problems=tuple(findings.problems),
        )

    try:
        listener.planned([(name, _size(_path(scenario, name))) for name in filenames])
        for filename in filenames:
            datasets.append(_capture_dataset(scenario, filename, listener))
    except KeyboardInterrupt:
        missing = ", ".join(printable(name) for name in filenames[len(datasets) :])
        findings.error("datasets", f"interrupted before these were measured: {missing}")
        raise CaptureInterrupted(replace(log(), verdict="incomplete")) from None
    return log()


def _metadata(scenario: Scenario, params: Params | None) -> Metadata:
    sha, dirty = git_state()
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
        params_read=None if params is None else "trusted" if params.trusted else "safe",
        params_recovered={} if params is None else params.recovered,
    )


def _read_baseline(scenario: Scenario, findings: _Findings) -> tuple[Params | None, Baseline]:
    nothing = Baseline({}, {}, ())
    if scenario.baseline_params is None:
        return None, nothing
    try:
        params = read_params(scenario.baseline_params, trusted=scenario.trust_params)
    except ParamsError as error:
        findings.error("baseline_params", str(error))
        return None, nothing
    baseline = read_baseline(params.values)
    for key, message in baseline.remarks:
        findings.warning(f"baseline_params:{key}", f"{key} in {printable(scenario.baseline_params)} {message}")
    return params, baseline


def _select(scenario: Scenario, findings: _Findings) -> list[str]:
    """Choose the datasets to measure, sorted by dose."""
    root = scenario.dataset_root
    try:
        there = list_sweep(root)
    except SweepError as error:
        findings.error("dataset_root", str(error))
        return []
    names = there
    if scenario.limit_datasets is not None:
        found = dict.fromkeys(name for name in scenario.limit_datasets if _is_entry(root, name))
        listed = ", ".join(printable(name) for name in there) or "no datasets at all"
        for name in scenario.limit_datasets:
            if name not in found:
                findings.error("limit_datasets", f"{printable(name)} is not in {printable(root)}; there is: {listed}")
        names = sort_by_dose(found)
    elif not there:
        findings.error("dataset_root", f"no datasets: {printable(root)} holds no file named {PATTERN}")
    for same in same_doses(names):
        findings.warning("datasets", f"these claim one and the same dose: {', '.join(same)}; keep one of them")
    return names


def _is_entry(root: str, name: str) -> bool:
    """Whether a name is that of something right in the folder, be it a link to nothing."""
    return os.path.basename(name) == name and name not in ("", ".", "..") and os.path.lexists(os.path.join(root, name))


def _path(scenario: Scenario, filename: str) -> str:
    return os.path.join(scenario.dataset_root, filename)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _capture_dataset(scenario: Scenario, filename: str, listener: Listener) -> Dataset:
    path = _path(scenario, filename)
    measurement = measure(path, _progress_of(filename, listener.progress))
    photons = None if measurement.photons is None else measurement.photons.against(dose_of(filename))
    problems = _problems(filename, measurement, photons)
    for problem in problems:
        listener.problem(problem)
    return Dataset(
        filename=filename,
        path=path,
        photon_dose=dose_text(filename),
        sha256=measurement.sha256,
        size_bytes=measurement.size_bytes,
        arrays=measurement.arrays,
        stats=measurement.stats,
        photons=photons,
        probe=measurement.probe,
        problems=problems,
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
