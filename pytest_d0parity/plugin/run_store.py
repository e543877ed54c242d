"""The store of a run: what one process of a pytest session has measured, the others need not."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from ..capture.baseline_run import BaselineRun, read_baseline_run
from ..capture.job import CaptureJob, CaptureResult
from ..capture.local_pool import LocalPool
from ..capture.selection import DatasetSelection, select_datasets
from ..compare.values import Named, values_of_dataset, whole_values
from ..evidence.model import Dataset
from ..util.atomic import write_atomically

T = TypeVar("T")


class RunStore:
    """Values by name, in a folder that all processes of one run share.

    Parameters
    ----------
    folder : path
        It belongs to this run and to this user alone, which is why its pickles can be trusted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Give a value; make it when no process of this run has.

        A process that comes while another one is making the value waits for it. When that one dies, its lock is
        released, and the next one makes the value.
        """
        if self.get(name) is None:
            with FileLock(self._folder / f"{name}.lock"):
                if self.get(name) is None:
                    self.put(name, make())
        value: T = self._seen[name]
        return value

    def put(self, name: str, value: Any) -> None:
        """Keep a value."""
        write_atomically(self._path(name), pickle.dumps(value))
        self._seen[name] = value

    def get(self, name: str) -> Any:
        """Give a value; None where no process has made it."""
        if name not in self._seen and os.path.exists(self._path(name)):
            self._seen[name] = pickle.loads(self._path(name).read_bytes())  # noqa: S301 - our own folder
        return self._seen.get(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pickle"


class RunData:
    """What a scenario's files hold, each of them read once per run.

    Parameters
    ----------
    job : CaptureJob
    store : RunStore
    """

    def __init__(self, job: CaptureJob, store: RunStore) -> None:
        self._scenario = job.scenario
        self._job = job
        self._store = store
        self._pool: LocalPool | None = None
        self._values: dict[str, Named] = {}

    @property
    def selection(self) -> DatasetSelection:
        """Which datasets there are."""
        return self._store.once("choice", lambda: select_datasets(self._scenario))

    @property
    def run(self) -> BaselineRun:
        """What the params file says."""
        return self._store.once("params", lambda: read_baseline_run(self._scenario))

    def dataset(self, filename: str) -> Dataset:
        """Give the record of a dataset."""
        return self._store.once(self._name(filename), lambda: self._capture(filename)).dataset

    def begin(self, pool: LocalPool, sizes: Mapping[str, int]) -> None:
        """Have a crew capture the datasets that will be asked for."""
        pool.begin(self._job, sizes)
        self._pool = pool

    def _capture(self, filename: str) -> CaptureResult:
        return self._job.capture(filename) if self._pool is None else self._pool.take(filename)

    @property
    def captured(self) -> dict[str, CaptureResult]:
        """The datasets that were asked for, in whatever process."""
        records = {filename: self._store.get(self._name(filename)) for filename in self.selection.filenames}
        return {filename: record for filename, record in records.items() if record is not None}

    def values(self, filename: str) -> Named:
        """Give the comparable values of a dataset."""
        if filename not in self._values:
            self._values[filename] = values_of_dataset(self.dataset(filename))
        return self._values[filename]

    @property
    def whole(self) -> Named:
        """The comparable values of parameters and metrics."""
        return whole_values(self.run.parameters, self.run.metrics)

    def _name(self, filename: str) -> str:
        # By number: a file's name may be as long as a name can be.
        return f"dataset-{self._numbers[filename]}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {filename: number for number, filename in enumerate(self.selection.filenames)}
