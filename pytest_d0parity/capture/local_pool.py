"""Datasets captured by several processes of this machine at once.

The processes are started as commands of their own, and not forked: a session that holds threads, or a
graphics card, must not be copied. They begin to import while the one that starts them does, so that two
cores are busy from the first moment.
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

if TYPE_CHECKING:
    from .cache import MeasurementCache
    from .job import CaptureJob, CaptureResult


# Light: what measures is imported by the processes, and by the caller meanwhile.

_DATASET = 0.003  # seconds that a dataset takes, whatever its size
_MEASURED = 150e6  # bytes that one process measures in a second
_HASHED = 1.5e9  # and hashes
_START = 0.2  # seconds that it takes a process to be of use
_NEW_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP, of Windows
_STEP = 0.02  # of a dataset, after which progress is told
_BOOT = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pytest_d0parity.capture.local_pool import work; work()"
)

Progress = Callable[[str, float], None]


def pool_size(jobs: int | None, sizes: Mapping[str, int], cache: MeasurementCache | None = None) -> int:
    """How many processes shall help with some datasets.

    Parameters
    ----------
    jobs : int or None
        Processes in all, this one included; None: as many as there are cores and the work is worth.
    sizes : mapping of str to int
        Bytes of each dataset.
    cache : MeasurementCache, optional
        What it most likely knows takes next to no time.
    """
    if jobs is None:
        new = [size for size in sizes.values() if cache is None or not cache.may_know(size)]
        seconds = sum(_DATASET + size / _MEASURED for size in new) + sum(sizes.values()) / _HASHED
        jobs = min(available_cores(), 1 + int(seconds / _START))
    return max(min(jobs, len(sizes)) - 1, 0)


class LocalPool:
    """Some processes that help to capture datasets; the caller is one of the crew.

    Parameters
    ----------
    helpers : int
        Number of processes besides this one.
    """

    def __init__(self, helpers: int = 0) -> None:
        self._processes = [_start() for _ in range(helpers)]
        self._changed = threading.Condition()
        self._waiting: dict[str, bool] = {}  # datasets to be captured, largest first, and whether work overlaps
        self._left: dict[str, bool] = {}  # those that a helper has died of: done here
        self._captured: dict[str, CaptureResult] = {}
        self._job: CaptureJob | None = None
        self._progress: Progress = lambda _, __: None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None) -> None:
        """Set the helpers to work.

        Parameters
        ----------
        job : CaptureJob
        sizes : mapping of str to int
            The datasets, and how many bytes each of them has.
        progress : callable, optional
            Told, in any thread, which share of a dataset is done.
        """
        self._job = job
        self._progress = progress or self._progress
        total = sum(sizes.values())
        # One that takes longer than its fair share of the time would leave the other cores idle in the end.
        fair = total / (len(self._processes) + 1)
        overlaps = available_cores() > 1 and bool(self._processes)
        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        self._waiting = {name: overlaps and sizes[name] > fair for name in largest_first}
        for process in self._processes:
            threading.Thread(target=self._lead, args=(process,), daemon=True).start()

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Progress | None = None
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets, here and in the helpers, and give each one as soon as it is done: see `begin`."""
        self.begin(job, sizes, progress)
        missing = set(sizes)
        stopped: KeyboardInterrupt | None = None
        while missing and stopped is None:
            try:
                self._do_something(len(sizes) - len(missing))
            except KeyboardInterrupt as interrupt:
                stopped = interrupt  # what the others have finished is not thrown away
            for name in missing.intersection(self._captured):
                missing.discard(name)
                yield name, self._captured[name]
        if stopped is not None:
            raise stopped

    def take(self, name: str) -> CaptureResult:
        """Give one dataset: captured here, unless a helper has begun with it."""
        with self._changed:
            while name not in self._captured and name not in self._left and name not in self._waiting:
                self._changed.wait()
            if name in self._captured:
                return self._captured[name]
            overlap = (self._left if name in self._left else self._waiting).pop(name)
        return self._do(name, overlap)

    def _do_something(self, known: int) -> None:
        """Capture one dataset, or wait until more than so many are captured."""
        with self._changed:
            while not (self._left or self._waiting) and len(self._captured) == known:
                self._changed.wait()
            source = self._left or self._waiting
            task = next(iter(source), None)
            overlap = task is not None and source.pop(task)
        if task is not None:
            self._do(task, overlap)

    def _do(self, name: str, overlap: bool) -> CaptureResult:
        assert self._job is not None  # noqa: S101 - begin() comes first
        captured = self._job.capture(name, lambda share: self._progress(name, share), overlap=overlap)
        self._put(name, captured)
        return captured

    def close(self) -> None:
        """Stop the helpers, whatever they are doing."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was not sent is of no use any more
                        pipe.close()
        self._processes = []

    def _put(self, name: str, captured: CaptureResult) -> None:
        with self._changed:
            self._captured[name] = captured
            self._changed.notify_all()

    def _lead(self, process: subprocess.Popen[bytes]) -> None:
        """Give a helper one dataset after the other."""
        name, overlap = None, False
        try:
            _send(process, self._job)
            while (task := self._next()) is not None:
                name, overlap = task
                _send(process, task)
                while isinstance(message := pickle.load(process.stdout), float):  # type: ignore[arg-type] # noqa: S301 - our own process
                    self._progress(name, message)
                self._put(name, message)
                name = None
        # It was killed, or has died: whatever it leaves behind in its pipe.
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            if name is not None:
                with self._changed:
                    self._left[name] = overlap
                    self._changed.notify_all()

    def _next(self) -> tuple[str, bool] | None:
        with self._changed:
            name = next(iter(self._waiting), None)
            return None if name is None else (name, self._waiting.pop(name))


def _start() -> subprocess.Popen[bytes]:
    # In a group of its own: Ctrl-C is for the one who started it, who then ends it.
    group: dict[str, Any] = {"creationflags": _NEW_GROUP} if sys.platform == "win32" else {"process_group": 0}
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-P", "-c", _BOOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **group
    )
    with contextlib.suppress(OSError):  # killed already: whoever sends it work will notice
        _send(process, [entry or os.getcwd() for entry in sys.path])
    return process


def _send(process: subprocess.Popen[bytes], message: object) -> None:
    assert process.stdin is not None  # noqa: S101
    process.stdin.write(pickle.dumps(message))
    process.stdin.flush()


def work() -> None:
    """Capture what one is told to: the life of a helper."""
    from . import run as capture  # noqa: F401 - imported while nothing else is to be done

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody else may write into the pipe.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    orders: Queue[Any] = Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()

    def answer(message: object) -> None:
        pickle.dump(message, answers)
        answers.flush()

    job: CaptureJob = orders.get()
    while True:
        name, overlap = orders.get()
        answer(job.capture(name, _in_steps(answer), overlap=overlap))


def _listen(orders: Queue[Any]) -> None:
    """Pass on what comes; whoever started this process may end at any time, and then there is nobody to work for."""
    try:
        while True:
            orders.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from the process that started this one
    finally:
        os._exit(0)


def _in_steps(tell: Callable[[float], None]) -> Callable[[float], None]:
    told = 0.0

    def progress(share: float) -> None:
        nonlocal told
        if share >= told + _STEP or share >= 1.0:
            told = share
            tell(float(share))

    return progress
