"""A job, which captures datasets in any process, and its results."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..compare.comparator import Comparator
from ..compare.values import values_of_dataset
from ..evidence.dataset import Dataset, Problem
from ..scenario.scenario import Scenario
from ..scenario.sweep import dose_of, dose_text
from ..statistics.records import Photons
from ..util.text import valid_utf8
from .cache import MeasurementCache
from .measurement import Measurement, inspect, measure


@dataclass(frozen=True)
class CaptureResult:
    """The record of a dataset, and whether it comes from the cache."""

    dataset: Dataset
    from_cache: bool


@dataclass(frozen=True)
class CaptureJob:
    """All that a process needs to capture datasets. It can be pickled.

    Attributes
    ----------
    scenario : Scenario
        Where the datasets are.
    comparator : Comparator or None
        The reference. For a dataset that looks repacked beside it, the CRC-32 of every array is verified by inflating
        the array; otherwise the one that the archive states is taken.
    cache : MeasurementCache or None
        Where measurements are looked up and saved.
    """

    scenario: Scenario
    comparator: Comparator | None = None
    cache: MeasurementCache | None = None

    def for_worker(self, filename: str) -> CaptureJob:
        """Return a job for one dataset, for a process with another working directory, without what it does not need.

        It is sent once for each dataset, so nothing in it may grow with the number of datasets.
        """
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
        """Measure a dataset, or load its measurement from the cache.

        Parameters
        ----------
        filename : str
            Its name in the dataset root.
        progress : callable, optional
            Called with the share of the work that is done.
        overlap : bool
            Read in a second thread while the values are measured.
        """
        path = self.scenario.dataset_path(filename)
        measurement, from_cache = measure(
            path,
            progress,
            partial(self._looks_repacked, filename),
            self.cache,
            measure_all=self.scenario.measure_all,
            overlap=overlap,
        )
        return CaptureResult(_dataset_record(self.scenario, filename, measurement), from_cache)

    def inspect(self, filename: str) -> Dataset:
        """Return a record of the hash, the size and the arrays of a dataset, without measuring it."""
        measurement = inspect(self.scenario.dataset_path(filename), partial(self._looks_repacked, filename))
        return _dataset_record(self.scenario, filename, measurement)

    def _looks_repacked(self, filename: str, measurement: Measurement) -> bool:
        """Return whether the reference has the same arrays in a file of other bytes."""
        return self.comparator is not None and self.comparator.is_repacked(
            valid_utf8(filename), values_of_dataset(_dataset_record(self.scenario, filename, measurement))
        )


def _dataset_record(scenario: Scenario, filename: str, measurement: Measurement) -> Dataset:
    photons = None if measurement.photons is None else measurement.photons.against(dose_of(filename))
    return Dataset(
        filename=filename,
        path=os.path.join(scenario.dataset_root, filename),
        photon_dose=dose_text(filename),
        sha256=measurement.sha256,
        size_bytes=measurement.size_bytes,
        arrays=measurement.arrays,
        frames=measurement.frames,
        metadata=measurement.metadata,
        stats=measurement.stats,
        histograms=measurement.histograms,
        scans=measurement.scans,
        pattern=measurement.pattern,
        photons=photons,
        probe=measurement.probe,
        standard_errors=measurement.standard_errors,
        problems=_problems(filename, measurement, photons),
    )


def _problems(filename: str, measurement: Measurement, photons: Photons | None) -> tuple[Problem, ...]:
    problems = [
        Problem(
            severity=problem.severity,
            where=f"{filename}:{problem.array}" if problem.array else filename,
            message=problem.message,
        )
        for problem in measurement.problems
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
