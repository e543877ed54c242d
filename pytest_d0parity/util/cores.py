"""The cores that this process may use."""

from __future__ import annotations

import contextlib
import os


def available_cores() -> int:
    """How many cores this process may use: those it is pinned to, and the share that its container is given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        # Version 2 of the control groups of Linux: microseconds in each period, or "max".
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)
