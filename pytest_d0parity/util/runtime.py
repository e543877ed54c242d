"""The process and the machine it runs on: cores, signals, temporary folders, libraries that log."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def available_cores() -> int:
    """How many cores this process may use: those it is pinned to, and the share that its container is given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        # Version 2 of the control groups of Linux: microseconds in each period, or "max".
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)


@contextmanager
def quiet_logger(name: str) -> Iterator[None]:
    """Keep from the user what a library logs: whatever matters is told by whoever calls it."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


_ENDING = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Be asked to end by Ctrl-C, by SIGTERM, and by a terminal that goes away: all raise `KeyboardInterrupt`.

    The first one counts. Those that follow would only disturb whoever cleans up.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return

    def interrupt(*_: object) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in _ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextlib.contextmanager
def scratch_folder(parent: str) -> Iterator[str]:
    """Give a folder that is gone afterwards.

    Parameters
    ----------
    parent : str
        Where it is made.
    """
    folder = os.path.join(parent, f".d0parity-{os.getpid()}-{os.urandom(6).hex()}.tmp")
    try:
        os.mkdir(folder, 0o700)
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except KeyboardInterrupt:  # the first one, and no other follows
            shutil.rmtree(folder, ignore_errors=True)
            raise
