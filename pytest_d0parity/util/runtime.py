"""The process and its machine: cores, signals, and the loggers of libraries."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]


def available_cores() -> int:
    """Return how many cores this process may use, by its CPU affinity and the CPU limit of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        # Linux, cgroups version 2: CPU time per period, both in microseconds, or "max".
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Raise `KeyboardInterrupt` on SIGTERM and SIGHUP as well, not only on SIGINT (Ctrl-C).

    After the first of these signals all further ones are ignored, so that they do not interrupt the clean-up.
    Outside the main thread, which alone can handle signals, this does nothing.

    Yields
    ------
    list of int
        The signal that came, once it has.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def interrupt(number: int, _: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        received.append(number)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in _SIGNALS}
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


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
