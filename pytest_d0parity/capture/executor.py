"""What can run a job: `local_pool.LocalPool` or `dask_cluster.DaskCluster`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ..util.errors import ParityError
from .job import CaptureJob, CaptureResult


class ExecutorError(ParityError):
    """Some datasets could not be captured. The message says which and why."""


class Executor(Protocol):
    """Something that captures datasets, in this process or in others."""

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Callable[[str, float], None]
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets.

        Parameters
        ----------
        job : CaptureJob
            How to capture them.
        sizes : mapping of str to int
            Bytes of each dataset, by file name.
        progress : callable
            Called, in any thread, with a file name and the share of the work on it that is done.

        Yields
        ------
        tuple of str and CaptureResult
            A file name and its result, as soon as it is there.

        Raises
        ------
        ExecutorError
            If some could not be captured; raised after all others were yielded.
        """
