"""Those who capture datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ..util.errors import ParityError
from .job import CaptureJob, CaptureResult


class ExecutorError(ParityError):
    """Those who captured datasets have not captured all of them, said in words."""


class Executor(Protocol):
    """Those who capture datasets: `pool.LocalPool`, or `cluster.Cluster`."""

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Callable[[str, float], None]
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets, of these sizes in bytes, and give each one as soon as it is done.

        Raises
        ------
        ExecutorError
            If some could not be captured, after all others were.
        """
