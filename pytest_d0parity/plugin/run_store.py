"""What the processes of one pytest run share: each dataset is measured by one of them, and read by the others."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout

from ..capture.baseline_run import BaselineRun, read_baseline_run
from ..capture.job import CaptureJob, CaptureResult
from ..capture.local_pool import LocalPool
from ..capture.selection import DatasetSelection, expects_probe, select_datasets
from ..capture.worker import BEAT
from ..comparison.values import BaselineValues, Named, baseline_values, values_of_dataset
from ..evidence.dataset import Dataset
from ..util.atomic import write_atomically
from ..util.errors import ParityError
from ..util.files import describe_os_error
from ..util.runtime import quiet_logger, refuse_replaced
from ..util.temporary import ScratchFolder
from ..util.text import printable

T = TypeVar("T")


class StoreError(ParityError):
    """There is no room for what the processes of a run share."""


class RunStore:
    """Values by name, in a folder that all processes of one run share.

    Parameters
    ----------
    folder : path
        Only this run and this user write to it, so its pickles can be trusted.
    patience : float
        Seconds for which a process that makes a value may show no sign of life.

    """

    def __init__(self, folder: Path, *, patience: float = 10) -> None:
        self.folder = folder
        self._patience = patience
        self._loaded: dict[str, Any] = {}
        self._noted: dict[str, None] = {}
        self._scratch: ScratchFolder | None = None  # of the process that has made it

    @classmethod
    def make(cls) -> Self:
        """Make a store in a new temporary folder.

        Raises
        ------
        StoreError
            If there is no room for it.
        """
        try:
            scratch = ScratchFolder(tempfile.gettempdir())
        except OSError as error:
            folder = printable(tempfile.gettempdir())
            raise StoreError(
                f"the folder for temporary files, {folder}, cannot be used: {describe_os_error(error)}; set TMPDIR to "
                "another one"
            ) from None
        store = cls(Path(scratch.path))
        store._scratch = scratch
        return store

    def remove(self) -> None:
        """Remove the folder."""
        if self._scratch is not None:
            self._scratch.remove()

    def get_or_make(self, name: str, make: Callable[[], T]) -> T:
        """Return a value; make it if no process of this run has.

        While one process makes it, the others wait. If that process dies, its lock is released and the next one makes
        the value; if it is stopped, they make it themselves.
        """
        if self.get(name) is None:
            with self._turn(name):
                if self.get(name) is None:
                    self.put(name, make())
        value: T = self._loaded[name]
        return value

    def put(self, name: str, value: Any) -> None:
        """Store a value; for this process alone where there is no room for it."""
        self._loaded[name] = value
        try:
            write_atomically(self._path(name), pickle.dumps(value), durable=False)
        except OSError as error:
            folder, reason = printable(str(self.folder)), describe_os_error(error)
            self._note(f"{folder} cannot be written to ({reason}): no process knows what others have found")

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Wait until no other process makes a value, and show signs of life for as long as this one does."""
        lock, ended = FileLock(self.folder / f"{name}.lock"), threading.Event()
        alive = self.folder / f"{name}.alive"
        with quiet_logger("filelock"):
            is_held = self._acquire(lock, alive)
        if is_held:
            threading.Thread(target=_show_life, args=(alive, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with quiet_logger("filelock"):
                lock.release()

    def _acquire(self, lock: FileLock, alive: Path) -> bool:
        seen, silent = 0, 0.0
        while silent < self._patience:
            try:
                lock.acquire(timeout=BEAT)
            except Timeout:
                last = alive.stat().st_mtime_ns if alive.exists() else 0
                seen, silent = last, silent + BEAT if last == seen else 0.0
            except OSError:
                return False  # there is no room for a lock
            else:
                return True
        self._note(f"another process of this run does not answer for {self._patience:g} s; its work is done here too")
        return False

    def get(self, name: str) -> Any:
        """Return a value; None if no process has stored it.

        Raises
        ------
        ReplacedError
            If it is not in memory, and a test has replaced what reads files.
        """
        if name not in self._loaded:
            refuse_replaced("what belongs to the scenario")
            if os.path.exists(self._path(name)):
                self._loaded[name] = pickle.loads(self._path(name).read_bytes())  # noqa: S301 - our own folder
        return self._loaded.get(name)

    @property
    def notes(self) -> list[str]:
        """What any process of the run has gone on without, as far as there is room to say it."""
        with suppress(OSError):
            self._noted.update(dict.fromkeys(path.read_text("utf-8") for path in sorted(self.folder.glob("*.note"))))
        return [*self._noted]

    def _note(self, text: str) -> None:
        self._noted[text] = None
        with suppress(OSError):
            write_atomically(self.folder / f"{os.getpid()}-{len(self._noted)}.note", text.encode(), durable=False)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.pickle"


def _show_life(alive: Path, ended: threading.Event) -> None:
    with suppress(OSError):  # there is no room for it
        while not ended.wait(BEAT):
            alive.touch()


class _EndedError(BaseException):
    """Nobody asks any more for what is being measured."""


class RunData:
    """What is in the files of a scenario. Each file is read once per run.

    Parameters
    ----------
    job : CaptureJob
        Scenario, reference and cache.
    store : RunStore
        Where the values are shared with the other processes.
    """

    def __init__(self, job: CaptureJob, store: RunStore) -> None:
        self.job = job
        self.store = store
        self._pool: LocalPool | None = None
        self._ahead: threading.Thread | None = None
        self._is_ended = threading.Event()
        self._values: dict[str, Named] = {}

    @cached_property
    def expects_probe(self) -> bool:
        """Whether any dataset of the sweep, or the reference, has a probe."""
        job = self.job
        return self.store.get_or_make(
            "probes", lambda: (expects_probe(job.scenario, self.selection.filenames, job.comparator),)
        )[0]

    @cached_property
    def _capture_job(self) -> CaptureJob:
        return replace(self.job, claims=self.selection.claims, expects_probe=self.expects_probe)

    @property
    def selection(self) -> DatasetSelection:
        """Which datasets there are."""
        return self.store.get_or_make("selection", lambda: select_datasets(self.job.scenario))

    @property
    def baseline_run(self) -> BaselineRun:
        """What the params file holds."""
        return self.store.get_or_make("params", lambda: read_baseline_run(self.job.scenario))

    def dataset(self, filename: str) -> Dataset:
        """Return the record of a dataset; measure it if no process has."""
        name = self._name(filename)
        if self._pool is not None and self._pool.is_here and self.store.get(name) is None:
            self.store.put(name, self._pool.result(filename))  # by this process alone, which need not wait for others
        return self.store.get_or_make(name, lambda: self._capture_job.capture(filename)).dataset

    def measure_in(self, pool: LocalPool, sizes: Mapping[str, int]) -> None:
        """Begin to measure datasets in a pool of processes.

        Parameters
        ----------
        pool : LocalPool
            Measures ahead of the checks, which take the results from it.
        sizes : mapping of str to int
            Bytes of each dataset that will be asked for, by file name.
        """
        pool.begin(self._capture_job, sizes)
        self._pool = pool

    def measure_ahead(self, sizes: Mapping[str, int]) -> None:
        """Begin to measure datasets in a thread, for the checks in other processes, which find them in the store.

        These come to the largest dataset whenever they do, and then one of them would measure while the others have
        nothing left to do: so the largest are measured first here.

        Parameters
        ----------
        sizes : mapping of str to int
            Bytes of each dataset that will be asked for, by file name.
        """
        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        self._ahead = threading.Thread(target=self._measure_all, args=(largest_first,), daemon=True)
        self._ahead.start()

    def _measure_all(self, filenames: Sequence[str]) -> None:
        def go_on(_: float = 0.0) -> None:
            if self._is_ended.is_set():
                raise _EndedError

        # Whatever else goes wrong goes wrong in the checks as well, which tell of it.
        with suppress(_EndedError, ParityError, OSError):
            for filename in filenames:
                go_on()
                self.store.get_or_make(self._name(filename), partial(self._capture_job.capture, filename, go_on))

    def end(self) -> None:
        """End what is measured ahead."""
        self._is_ended.set()
        if self._ahead is not None:
            self._ahead.join()

    @property
    def captured(self) -> dict[str, CaptureResult]:
        """The datasets that any process has measured."""
        results = {filename: self.store.get(self._name(filename)) for filename in self.selection.filenames}
        return {filename: result for filename, result in results.items() if result is not None}

    def values(self, filename: str) -> Named:
        """Return the comparable values of a dataset."""
        if filename not in self._values:
            self._values[filename] = values_of_dataset(self.dataset(filename))
        return self._values[filename]

    @property
    def baseline(self) -> BaselineValues:
        """The comparable values of params and metrics."""
        run = self.baseline_run
        return baseline_values(run.params, run.parameters, run.metrics, run.attachments)

    def _name(self, filename: str) -> str:
        # A number, because the file name with a suffix may be longer than the file system allows.
        return f"dataset-{self._numbers[filename]}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {filename: number for number, filename in enumerate(self.selection.filenames)}
