"""Processes that tests start, watch and end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait until a condition holds; fail where it does not in good time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} seconds still not: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def started(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process, and see to it that it is gone afterwards."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def reads(pid: int, *names: str) -> bool:
    """Whether a process of Linux has one of some files open."""
    opened = []
    with contextlib.suppress(OSError):  # closed meanwhile, or the process has ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                opened.append(os.path.basename(os.readlink(descriptor)))
    return not set(names).isdisjoint(opened)


ENDLESS = "pagemap"


def make_endless(path: Path) -> None:
    """Make a file that has a size of zero and takes minutes to read: the last one of those that are taken by size.

    Processes that read it have `ENDLESS` open.
    """
    if not os.access("/proc/self/pagemap", os.R_OK):
        pytest.skip("there is no file without an end here")
    path.symlink_to("/proc/self/pagemap")
