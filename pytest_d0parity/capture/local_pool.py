"""Datasets captured by several processes of this machine.

The worker processes are started as new commands instead of forked, since a session that has threads or uses a graphics
card must not be forked. They import this package while the process that starts them does the same.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..util.runtime import available_cores

if TYPE_CHECKING:  # NumPy is imported while the workers start, and not before
    from .cache import MeasurementCache
    from .job import CaptureJob, CaptureResult


# What one process does, to estimate how many are worth starting.
_SECONDS_PER_DATASET = 0.003  # whatever its size
_MEASURED_PER_SECOND = 150e6  # bytes
_HASHED_PER_SECOND = 1.5e9  # bytes
_SECONDS_TO_START = 0.2

_CREATE_NEW_PROCESS_GROUP = 0x200  # of Windows; `subprocess` has the name only there
_PROGRESS_STEP = 0.02  # share of a dataset between two messages about it
_WORKER_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pytest_d0parity.capture.local_pool import run_worker; run_worker()"
)

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
    """

    def __init__(self, workers: int = 0) -> None:
        self._workers = [_start_worker() for _ in range(workers)]
        self._job: CaptureJob | None = None
        self._progress: Progress = lambda _, __: None
        # The condition guards what follows: file names of datasets, and whether to read them in a second thread.
        self._changed = threading.Condition()
        self._queue: dict[str, bool] = {}  # largest first
        self._returned: dict[str, bool] = {}  # begun by a worker that has died; captured by this process
        self._results: dict[str, CaptureResult] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None) -> None:
        """Have the workers capture datasets: see `Executor.capture`. Get the results by `result`."""
        self._job = job
        self._progress = progress or self._progress
        # A dataset that takes longer than its fair share of the time would leave the other cores idle at the end.
        fair_share = sum(sizes.values()) / (len(self._workers) + 1)
        may_overlap = available_cores() > 1 and bool(self._workers)
        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        self._queue = {name: may_overlap and sizes[name] > fair_share for name in largest_first}
        for worker in self._workers:
            threading.Thread(target=self._feed, args=(worker,), daemon=True).start()

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets, in the workers and in this process: see `Executor.capture`."""
        self.begin(job, sizes, progress)
        missing = set(sizes)
        stopped: KeyboardInterrupt | None = None
        while missing and stopped is None:
            try:
                self._capture_or_wait(len(sizes) - len(missing))
            except KeyboardInterrupt as interrupt:
                stopped = interrupt  # raised after the results of the workers are yielded
            for name in missing.intersection(self._results):
                missing.discard(name)
                yield name, self._results[name]
        if stopped is not None:
            raise stopped

    def result(self, name: str) -> CaptureResult:
        """Return the result for one dataset: wait for the worker that has begun it, or else capture it here."""
        with self._changed:
            while name not in self._results and name not in self._returned and name not in self._queue:
                self._changed.wait()
            if name in self._results:
                return self._results[name]
            overlap = (self._returned if name in self._returned else self._queue).pop(name)
        return self._capture_here(name, overlap)

    def close(self) -> None:
        """Kill the workers."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # from data that was not sent yet
                        pipe.close()
        self._workers = []

    def _capture_or_wait(self, n_known: int) -> None:
        """Capture one dataset here; if none is left, wait until there are more than so many results."""
        with self._changed:
            while not (self._returned or self._queue) and len(self._results) == n_known:
                self._changed.wait()
            task = _pop_first(self._returned or self._queue)
        if task is not None:
            self._capture_here(*task)

    def _capture_here(self, name: str, overlap: bool) -> CaptureResult:
        assert self._job is not None  # noqa: S101 - begin() comes first
        result = self._job.capture(name, lambda share: self._progress(name, share), overlap=overlap)
        self._add_result(name, result)
        return result

    def _add_result(self, name: str, result: CaptureResult) -> None:
        with self._changed:
            self._results[name] = result
            self._changed.notify_all()

    def _feed(self, worker: subprocess.Popen[bytes]) -> None:
        """Hand a worker one dataset after the other, and receive its results, until the queue is empty."""
        task = None
        try:
            _send(worker, self._job)
            while (task := self._next_task()) is not None:
                name, _ = task
                _send(worker, task)
                while isinstance(message := pickle.load(worker.stdout), float):  # type: ignore[arg-type] # noqa: S301 - our own process
                    self._progress(name, message)
                self._add_result(name, message)
                task = None
        # The worker was killed or has died, perhaps in the middle of a message.
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            if task is not None:
                with self._changed:
                    self._returned.update([task])
                    self._changed.notify_all()

    def _next_task(self) -> tuple[str, bool] | None:
        with self._changed:
            return _pop_first(self._queue)


def _pop_first(queue: dict[str, bool]) -> tuple[str, bool] | None:
    name = next(iter(queue), None)
    return None if name is None else (name, queue.pop(name))


def _start_worker() -> subprocess.Popen[bytes]:
    # In its own process group: Ctrl-C reaches only this process, which then kills the worker.
    group: dict[str, Any] = (
        {"creationflags": _CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else {"process_group": 0}
    )
    worker = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-P", "-c", _WORKER_CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **group
    )
    with contextlib.suppress(OSError):  # it has died already, which is noticed when work is sent to it
        _send(worker, [entry or os.getcwd() for entry in sys.path])
    return worker


def _send(worker: subprocess.Popen[bytes], message: object) -> None:
    assert worker.stdin is not None  # noqa: S101
    worker.stdin.write(pickle.dumps(message))
    worker.stdin.flush()


def run_worker() -> None:
    """Receive a job and then datasets on standard input, and send progress and results to standard output, for ever."""
    # Imported now, while the process that started this one does the same, and not only when the job arrives.
    from . import job as _job  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever else is printed must not get into the pipe.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    received: Queue[Any] = Queue()
    threading.Thread(target=_receive, args=(received,), daemon=True).start()

    def send(message: object) -> None:
        pickle.dump(message, output)
        output.flush()

    job: CaptureJob = received.get()
    while True:
        name, overlap = received.get()
        send(job.capture(name, _in_steps(send), overlap=overlap))


def _receive(received: Queue[Any]) -> None:
    """Put messages from standard input into a queue. End this process when the one that started it has ended."""
    try:
        while True:
            received.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from the process that started this one
    finally:
        os._exit(0)


def _in_steps(send: Callable[[float], None]) -> Callable[[float], None]:
    """Return a progress callback that sends no more than every `_PROGRESS_STEP`."""
    sent = 0.0

    def progress(share: float) -> None:
        nonlocal sent
        if share >= sent + _PROGRESS_STEP or share >= 1.0:
            sent = share
            send(float(share))

    return progress
