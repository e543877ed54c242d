"""The time that something takes, in a unit that is as slow as the machine is just now."""

from __future__ import annotations

import pickle
import pickletools
import time

PLAIN = pickle.dumps(list(range(100_000)), 2)


def yardstick() -> float:
    """Measure in seconds of the processor how long the standard library parses a plain file of 100,000 numbers."""
    start = time.process_time()
    for _ in pickletools.genops(PLAIN):
        pass
    return time.process_time() - start


class Work:
    """Measures the time of the processor within a `with`, in yardsticks taken right before and right after."""

    yardsticks: float

    def __enter__(self) -> Work:
        self._before = yardstick()
        self._start = time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        taken = time.process_time() - self._start
        self.yardsticks = 2 * taken / (self._before + yardstick())
