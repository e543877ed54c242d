"""A process beside this one that captures datasets: how it is started, what is said, and what it does.

It is a new command and no fork, since a session that has threads or uses a graphics card must not be forked. Whatever
else is printed in it, by a ``sitecustomize`` say, does not reach the pipe by which it answers.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from queue import Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy is imported while the workers start, and not before
    from .job import CaptureJob, CaptureResult

BEAT = 1.0  # seconds between two signs of life

_CREATE_NEW_PROCESS_GROUP = 0x200  # of Windows; `subprocess` has the name only there
_PROGRESS_STEP = 0.02  # share of a dataset between two messages about it
_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pytest_d0parity.capture.worker import run_worker; run_worker(int(sys.argv[1]))"
)

Progress = Callable[[float], None]


class Worker:
    """A worker process, as seen by the one that has started it.

    Attributes
    ----------
    beats : int
        Counts its messages: it is alive while they come, one a second at least.
    is_killed : bool
        Whether it was ended by `kill`.
    """

    def __init__(self) -> None:
        answers, theirs = os.pipe()
        self.beats = 0
        self.is_killed = False
        self._answers = open(answers, "rb")  # noqa: SIM115 - closed by `kill`
        try:
            self._process = _start(theirs)
        finally:
            os.close(theirs)
        with contextlib.suppress(OSError):  # it has died already, which is noticed when work is sent to it
            self.send([entry or os.getcwd() for entry in sys.path])

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Send a job, or the name of a dataset and whether to read it in a second thread.

        Raises
        ------
        OSError
            If it has died.
        """
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(pickle.dumps(message))
        self._process.stdin.flush()

    def wait_until_ready(self) -> None:
        """Wait for its first message.

        Raises
        ------
        WorkerLostError
            If it has died.
        """
        self._next_message()

    def receive(self, progress: Progress) -> CaptureResult:
        """Wait for the result of a dataset.

        Raises
        ------
        WorkerLostError
            If it has died, or what arrives is none of its messages.
        """
        from .job import CaptureResult

        while not isinstance(message := self._next_message(), CaptureResult):
            if isinstance(message, float):
                progress(message)
            elif message is not None:
                raise WorkerLostError
        return message

    def _next_message(self) -> object:
        try:
            message: object = pickle.load(self._answers)  # noqa: S301 - from our own process, which alone has this pipe
        except Exception as error:  # whatever an unfinished message makes of pickle
            raise WorkerLostError from error
        self.beats += 1
        return message

    def kill(self) -> None:
        """Kill it, also where it is stopped, and wait until it has ended."""
        self.is_killed = True
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the pipes, once nobody reads from it."""
        for pipe in (self._process.stdin, self._answers):
            if pipe is not None:
                with contextlib.suppress(OSError):  # from data that was not sent yet
                    pipe.close()


class WorkerLostError(Exception):
    """A worker died, or said something else than it should."""


def _start(answers: int) -> subprocess.Popen[bytes]:
    # In its own process group: Ctrl-C reaches only this process, which then kills the worker.
    options: dict[str, Any]
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(answers)
        os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        options = {"creationflags": _CREATE_NEW_PROCESS_GROUP, "startupinfo": startup}
    else:
        handle, options = answers, {"process_group": 0, "pass_fds": [answers]}
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-P", "-c", _CODE, str(handle)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **options
    )


def run_worker(handle: int) -> None:
    """Receive a job and then datasets on standard input, and send progress and results by a pipe of its own, for ever.

    Parameters
    ----------
    handle : int
        The pipe: a file descriptor, of Windows a handle.
    """
    # Imported now, while the process that started this one does the same, and not only when the job arrives.
    from . import job as _job  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _Answers(handle)
    answers.send(None)  # ready: until now, however long that took, it has no work in hand
    received: Queue[Any] = Queue()
    threading.Thread(target=_receive, args=(received,), daemon=True).start()
    threading.Thread(target=answers.beat, daemon=True).start()
    job: CaptureJob = received.get()
    while True:
        name, overlap = received.get()
        answers.send(job.capture(name, _in_steps(answers.send), overlap=overlap))


class _Answers:
    """Sends messages, one at a time."""

    def __init__(self, handle: int) -> None:
        if sys.platform == "win32":
            import msvcrt

            handle = msvcrt.open_osfhandle(handle, os.O_WRONLY)
        self._file = open(handle, "wb")  # noqa: SIM115 - for as long as the process lives
        self._one_at_a_time = threading.Lock()

    def send(self, message: object) -> None:
        with self._one_at_a_time:
            pickle.dump(message, self._file)
            self._file.flush()

    def beat(self) -> None:
        ended = threading.Event()
        while not ended.wait(BEAT):
            self.send(None)


def _receive(received: Queue[Any]) -> None:
    """Put messages from standard input into a queue. End this process when the one that started it has ended."""
    try:
        while True:
            received.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from the process that started this one
    finally:
        os._exit(0)


def _in_steps(send: Progress) -> Progress:
    """Return a progress callback that sends no more than every `_PROGRESS_STEP`."""
    sent = 0.0

    def progress(share: float) -> None:
        nonlocal sent
        if share >= sent + _PROGRESS_STEP or share >= 1.0:
            sent = share
            send(float(share))

    return progress
