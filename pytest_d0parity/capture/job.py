"""What a process is told to capture, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..compare.comparator import Comparator
from ..compare.values import values_of_dataset
from ..evidence.model import Dataset, Problem
from ..scenario.scenario import Scenario
from ..scenario.sweep import dose_of, dose_text
from ..statistics.records import Photons
from ..util.text import valid_utf8
from .cache import MeasurementCache
from .measurement import Measurement, inspect, measure


@dataclass(frozen=True)
class CaptureResult:
    """A dataset, and whether it is known from the cache instead of measured anew."""

    dataset: Dataset
    known: bool


@dataclass(frozen=True)
class CaptureJob:
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

    def for_worker(self, filename: str) -> CaptureJob:
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
    ) -> CaptureResult:
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
        return CaptureResult(_record(self.scenario, filename, measurement), known)

    def inspect(self, filename: str) -> Dataset:
        """Look at a dataset without measuring it: hash, size, and its arrays."""
        measurement = inspect(self.scenario.dataset_path(filename), partial(self._suspects, filename))
        return _record(self.scenario, filename, measurement)

    def _suspects(self, filename: str, measurement: Measurement) -> bool:
        """Whether a file looks repacked, so that all of it must be inflated to see that it is."""
        return self.comparator is not None and self.comparator.is_repacked(
            valid_utf8(filename), values_of_dataset(_record(self.scenario, filename, measurement))
        )


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
