"""A job, which captures datasets in any process, and its results."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ..evidence.dataset import Dataset
from ..scenario.scenario import Scenario
from ..scenario.sweep import Claims, claims_of
from ..statistics.frames.frame_pictures import FramePictures
from ..util.text import valid_utf8
from .cache import MeasurementCache
from .dataset.measure import inspect, measure
from .dataset.measurement import Measurement
from .records.dataset_record import make_dataset

if TYPE_CHECKING:
    from ..comparison.comparator import Comparator


@dataclass(frozen=True)
class CaptureResult:
    """The record of a dataset, whether it comes from the cache, and what the page shows of its frames."""

    dataset: Dataset
    from_cache: bool
    pictures: FramePictures | None = None


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
    claims : dict
        What the user and the names of the datasets say about their doses.
    expects_probe : bool
        Whether other datasets of the sweep, or the reference, have a probe.
    """

    scenario: Scenario
    comparator: Comparator | None = None
    cache: MeasurementCache | None = None
    claims: Mapping[str, Claims] = field(default_factory=dict)
    expects_probe: bool = False

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
            claims={name: claims for name, claims in self.claims.items() if name == filename},
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
            layout=self.scenario.layout,
            overlap=overlap,
        )
        return CaptureResult(self._record(filename, measurement), from_cache, measurement.pictures)

    def inspect(self, filename: str) -> Dataset:
        """Return a record of the hash, the size and the arrays of a dataset, without measuring it."""
        path = self.scenario.dataset_path(filename)
        measurement = inspect(path, partial(self._looks_repacked, filename), self.scenario.layout)
        return self._record(filename, measurement)

    def _looks_repacked(self, filename: str, measurement: Measurement) -> bool:
        """Return whether the reference has the same arrays in a file of other bytes."""
        if self.comparator is None:
            return False
        from ..comparison.values import values_of_dataset  # which takes long to import

        values = values_of_dataset(self._record(filename, measurement))
        return self.comparator.is_repacked(valid_utf8(filename), values)

    def _record(self, filename: str, measurement: Measurement) -> Dataset:
        claims = self.claims.get(filename)
        if claims is None:
            claims = claims_of([filename], self.scenario.layout)[filename]
        return make_dataset(self.scenario, filename, measurement, claims, expects_probe=self.expects_probe)
