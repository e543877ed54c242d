"""The process and its machine: cores, signals, loggers of libraries, and functions that a test has replaced."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, Self

from .errors import ParityError

# The exit code of a process that one of these ends is 128 and its number. Windows has no SIGHUP: that its console is
# closed arrives as SIGBREAK.
_CODES = {
    signal.Signals[name]: code
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGBREAK", 129))
    if name in signal.Signals.__members__
}
ENDING = tuple(_CODES.keys() - {signal.SIGINT})  # those that pytest does not handle itself

_MOMENT = 0.01  # seconds

_FUNCTIONS = {
    "open": (builtins, "open"),
    "io.open": (io, "open"),
    "os.open": (os, "open"),
    "os.stat": (os, "stat"),
    "os.lstat": (os, "lstat"),
    "os.path.exists": (os.path, "exists"),
}
# Those of Python itself, or of whatever was there before any test: this module is imported when a session starts.
_REAL = {name: getattr(*where) for name, where in _FUNCTIONS.items()}


class ReplacedError(ParityError):
    """A test reads files through functions that are replaced."""


def available_cores() -> int:
    """Return how many cores this process may use, by its CPU affinity and the CPU limit of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        # Linux, cgroups version 2: CPU time per period, both in microseconds, or "max".
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)


def _end(number: int, _: object) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, f"interrupted by {_cause(number)}\n".encode())
    os._exit(_CODES[signal.Signals(number)])


def end_at_once() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP end this process with a word, wherever it is, but within an `Interruption`.

    For a process that has nothing to lose, as one that still imports what it needs.
    """
    for each in _CODES:
        if _is_ours(each):
            signal.signal(each, _end)


class Interruption:
    """What asks a run to end: within it, SIGTERM and SIGHUP raise `KeyboardInterrupt` as well, not only Ctrl-C.

    After the first of these signals all further ones are ignored, so that they do not interrupt the clean-up. One that
    is ignored already, as in the background and under ``nohup``, or that somebody else handles, is left as it is.
    Outside the main thread, which alone can handle signals, this does nothing.

    Parameters
    ----------
    signals : iterable of Signals, optional
        Those to raise it on; by default all.

    Attributes
    ----------
    exit_code : int
        130, 143 or 129, once one of them came; 0 until then.
    cause : str
        The same in a word: ``Ctrl-C``, ``SIGTERM``.
    """

    def __init__(self, signals: Iterable[signal.Signals] = tuple(_CODES)) -> None:
        self.exit_code = 0
        self.cause = ""
        self._signals = signals
        self._number: int = signal.SIGINT
        self._before: dict[signal.Signals, Any] = {}
        self._hook: Callable[[sys.UnraisableHookArgs], Any] = sys.__unraisablehook__

    def __enter__(self) -> Self:
        self._before = {each: signal.getsignal(each) for each in self._signals if _is_ours(each)}
        self._listen()
        if self._before:
            self._hook, sys.unraisablehook = sys.unraisablehook, self._raise_again
        return self

    def _listen(self) -> None:
        for each in self._before:
            signal.signal(each, self._interrupt)

    def _raise_again(self, lost: sys.UnraisableHookArgs) -> None:
        """Raise the interruption once more where it came while Python could not pass it on, as in a destructor."""
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._hook(lost)
            return
        self._listen()
        # In a moment, from another thread: here it would be lost again.
        threading.Timer(_MOMENT, _send_again, [self._number]).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        if self._before:
            sys.unraisablehook = self._hook

    def _interrupt(self, number: int, _: object) -> NoReturn:
        for each in self._before:
            signal.signal(each, signal.SIG_IGN)
        self._number = number
        self.exit_code, self.cause = _CODES[signal.Signals(number)], _cause(number)
        raise KeyboardInterrupt(f"interrupted by {self.cause}")


def _send_again(number: int) -> None:
    """Send a signal to the main thread; where that cannot be done, to this process."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)  # which wakes it where it waits
    else:
        signal.raise_signal(number)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let what would interrupt wait until the end."""
    came: list[int] = []
    before = {each: signal.getsignal(each) for each in _CODES} if _is_main_thread() else {}
    before = {each: handler for each, handler in before.items() if callable(handler)}
    try:
        for each in before:
            signal.signal(each, lambda number, _: came.append(number))
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


def _is_ours(number: signal.Signals) -> bool:
    """Whether this thread may handle a signal, and nobody else does or ignores it."""
    ours = (signal.SIG_DFL, signal.default_int_handler, _end)
    return _is_main_thread() and signal.getsignal(number) in ours


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _cause(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextmanager
def quiet_logger(name: str) -> Iterator[None]:
    """Suppress all messages of a library's logger."""
    import logging  # slow to import, and verify does without it

    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def refuse_replaced(what: str) -> None:
    """Refuse to read a file where a test has replaced the functions that read files.

    Parameters
    ----------
    what : str
        What was to be read, as the object of a sentence.

    Raises
    ------
    ReplacedError
        If any of them is replaced.
    """
    for name, where in _FUNCTIONS.items():
        if getattr(*where) is not _REAL[name]:
            raise ReplacedError(
                f"`{name}` is replaced, by a mock or by pyfakefs, so {what} cannot be read here: let it be "
                "replaced in single tests alone, and there only once all arrays are loaded"
            )
