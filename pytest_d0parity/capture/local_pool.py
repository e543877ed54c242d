"""Datasets captured by several processes of this machine.

Whatever ends or stops one of them, the others finish the work: a dataset that somebody has begun and does not finish
is captured by another one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..util.runtime import available_cores
from .worker import BEAT, Worker, WorkerLostError

if TYPE_CHECKING:  # NumPy is imported while the workers start, and not before
    from .cache import MeasurementCache
    from .job import CaptureJob, CaptureResult


# What one process does, to estimate how many are worth starting.
_SECONDS_PER_DATASET = 0.003  # whatever its size
_MEASURED_PER_SECOND = 150e6  # bytes
_HASHED_PER_SECOND = 1.5e9  # bytes
_SECONDS_TO_START = 0.2
_WORTH_A_THREAD = 1 << 20  # bytes of a dataset; what is smaller takes longer to look up than to hash

Progress = Callable[[str, float], None]


def pool_size(jobs: int | None, sizes: Mapping[str, int], cache: MeasurementCache | None = None) -> int:
    """Return how many workers to start.

    Parameters
    ----------
    jobs : int or None
        Number of processes, this one included. None: as many as there are cores, if there is enough work for them.
    sizes : mapping of str to int
        Bytes of each dataset.
    cache : MeasurementCache, optional
        A dataset that may be in it is taken to be hashed only.
    """
    if jobs is None:
        new = [size for size in sizes.values() if cache is None or not cache.has_size(size)]
        seconds = sum(_SECONDS_PER_DATASET + size / _MEASURED_PER_SECOND for size in new)
        seconds += sum(sizes.values()) / _HASHED_PER_SECOND
        jobs = min(available_cores(), 1 + int(seconds / _SECONDS_TO_START))
    return max(min(jobs, len(sizes)) - 1, 0)


class LocalPool:
    """An executor: this process and some workers, which are started at once.

    Parameters
    ----------
    workers : int
        Number of processes besides this one.
    say : callable, optional
        Is told of a worker that no longer answers.
    threads : int, optional
        Without other processes, how many threads of this one look up datasets that may be known; by default as many as
        there are cores.
    meanwhile : callable, optional
        Is called once, when this process could do no more than the last dataset, which the workers can do as well.
    patience : float
        Seconds without a sign of life until a worker counts as lost.
    """

    def __init__(
        self,
        workers: int = 0,
        say: Callable[[str], None] = lambda _: None,
        *,
        threads: int | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        patience: float = 10,
    ) -> None:
        self._process = os.getpid()
        self._say = say
        self._threads = threads or available_cores()
        self._meanwhile: Callable[[], None] | None = meanwhile
        self._patience = patience
        self._workers = [Worker() for _ in range(workers)]
        self._job: CaptureJob | None = None
        self._progress: Progress = lambda _, __: None
        # The condition guards what follows: file names of datasets, and whether to read them in a second thread.
        self._changed = threading.Condition()
        self._queue: dict[str, bool] = {}  # largest first
        self._known: list[str] = []  # that may be known, for further threads of this process; largest last
        self._returned: dict[str, bool] = {}  # begun by somebody who did not finish; captured by this process
        self._results: dict[str, CaptureResult] = {}
        self._silent: dict[Worker, tuple[int, float]] = {}  # those at work: their beats, and for how long no more came

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_here(self) -> bool:
        """Whether this is the process that has made it, and no fork, which has none of its threads."""
        return os.getpid() == self._process

    def begin(self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None) -> None:
        """Have the workers capture datasets: see `Executor.capture`. Get the results by `result`."""
        self._job = job
        self._progress = progress or self._progress
        # A dataset that takes longer than its fair share of the time would leave the other cores idle at the end, and
        # so do those of the last round, where there are fewer of them than processes.
        processes = len(self._workers) + 1
        fair_share = sum(sizes.values()) / processes
        may_overlap = available_cores() > 1 and bool(self._workers)
        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        last_round = largest_first[len(sizes) - len(sizes) % processes :]
        self._queue = {name: may_overlap and (sizes[name] > fair_share or name in last_round) for name in largest_first}
        for worker in self._workers:
            threading.Thread(target=self._feed, args=(worker,), daemon=True).start()
        if not self._workers and job.cache is not None:
            # Hashing leaves the interpreter to others, and is most of the work on a dataset that is known.
            self._known = [name for name in reversed(largest_first) if _is_known(sizes[name], job.cache)]
            for _ in range(min(self._threads, len(self._known)) - 1):
                threading.Thread(target=self._capture_known, daemon=True).start()

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets, in the workers and in this process: see `Executor.capture`."""
        self.begin(job, sizes, progress)
        missing = set(sizes)
        stopped: KeyboardInterrupt | None = None
        try:
            while missing and stopped is None:
                try:
                    self._capture_or_wait(len(sizes) - len(missing))
                except KeyboardInterrupt as interrupt:
                    stopped = interrupt  # raised after the results of the workers are yielded
                for name in missing.intersection(self._results):
                    missing.discard(name)
                    yield name, self._results[name]
        finally:
            self._let_threads_end()
        if stopped is not None:
            raise stopped

    def result(self, name: str) -> CaptureResult:
        """Return the result for one dataset: wait for the worker that has begun it, or else capture it here."""
        begun: dict[str, bool] = {}
        try:
            with self._changed:
                while name not in self._results and name not in self._returned and name not in self._queue:
                    self._wait()
                if name in self._results:
                    return self._results[name]
                _move(name, self._returned if name in self._returned else self._queue, begun)
            return self._capture_here(name, begun[name])
        finally:
            self._give_back(begun)

    def close(self) -> None:
        """Kill the workers, and let no thread begin another dataset."""
        self._let_threads_end()
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()
        self._workers = []

    def _capture_or_wait(self, n_known: int) -> None:
        """Capture one dataset here; if none is left, wait until there are more than so many results."""
        if self._meanwhile is not None and len(self._queue) <= len(self._silent):
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        begun: dict[str, bool] = {}
        try:
            with self._changed:
                while not (self._returned or self._queue) and len(self._results) == n_known:
                    self._wait()
                tasks = self._returned or self._queue
                if tasks:
                    _move(next(iter(tasks)), tasks, begun)
            for name, overlap in begun.items():
                self._capture_here(name, overlap)
        finally:
            self._give_back(begun)

    def _give_back(self, begun: Mapping[str, bool], worker: Worker | None = None) -> None:
        """Give datasets back that were begun and not finished, as where the time limit of a test ends that."""
        with self._changed:
            if worker is not None:
                self._silent.pop(worker, None)
            for name in begun.keys() - self._results.keys():
                self._returned[name] = begun[name]
                self._queue.pop(name, None)
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for news, for a moment; kill workers that show no sign of life, as one that somebody has stopped."""
        if self._changed.wait(BEAT):
            return
        for worker, (beats, silent) in self._silent.items():
            quiet = silent + BEAT if beats == worker.beats else 0.0
            self._silent[worker] = worker.beats, quiet
            # Not by the clock: where all are suspended together, as by Ctrl-Z, nobody is late.
            if quiet >= self._patience and not worker.is_killed:
                self._say(
                    f"the process {worker.pid}, which measures beside this one, does not answer for "
                    f"{self._patience:g} s; it is ended, and its work is done here"
                )
                worker.kill()

    def _capture_here(self, name: str, overlap: bool) -> CaptureResult:
        assert self._job is not None  # noqa: S101 - begin() comes first
        result = self._job.capture(name, lambda share: self._progress(name, share), overlap=overlap)
        self._add_result(name, result)
        return result

    def _capture_known(self) -> None:
        """Capture datasets that may be known, in a thread, until there are no more."""
        begun: dict[str, bool] = {}
        try:
            while name := self._next_known(begun):
                self._capture_here(name, overlap=False)
        finally:
            self._give_back(begun)

    def _add_result(self, name: str, result: CaptureResult) -> None:
        with self._changed:
            self._results[name] = result
            self._changed.notify_all()

    def _feed(self, worker: Worker) -> None:
        """Hand a worker one dataset after the other, and receive its results, until the queue is empty."""
        begun: dict[str, bool] = {}
        try:
            worker.send(self._job)
            worker.wait_until_ready()
            with self._changed:
                self._silent[worker] = worker.beats, 0.0
            while name := self._next_name(begun):
                worker.send((name, begun[name]))
                self._add_result(name, worker.receive(partial(self._progress, name)))
        except (OSError, ValueError, WorkerLostError):
            pass  # it was killed or has died, perhaps in the middle of a message
        finally:
            self._give_back(begun, worker)

    def _let_threads_end(self) -> None:
        with self._changed:
            self._known.clear()

    def _next_known(self, begun: dict[str, bool]) -> str | None:
        with self._changed:
            while self._known:
                name = self._known.pop()
                if name in self._queue:
                    _move(name, self._queue, begun)
                    return name
            return None

    def _next_name(self, begun: dict[str, bool]) -> str | None:
        with self._changed:
            name = next(iter(self._queue), None)
            if name is not None:
                _move(name, self._queue, begun)
            return name


def _is_known(size: int, cache: MeasurementCache) -> bool:
    return size >= _WORTH_A_THREAD and cache.has_size(size)


def _move(name: str, tasks: dict[str, bool], begun: dict[str, bool]) -> None:
    """Move a dataset to those that somebody has begun. Added first, so that it is always in somebody's hands."""
    begun[name] = tasks[name]
    del tasks[name]
