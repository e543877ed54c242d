"""Datasets captured by a Dask cluster that the user already has."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..util.errors import ParityError
from ..util.text import printable

if TYPE_CHECKING:
    from .executor import Executor
    from .job import CaptureJob, CaptureResult


_PATIENCE = 10  # seconds until a scheduler that does not answer is not there


class ClusterError(ParityError):
    """A cluster that cannot be used, said in words."""


@contextmanager
def cluster_or_pool(executor: Executor, address: str | None) -> Iterator[Executor]:
    """Give a cluster where an address is given, and otherwise whoever else there is."""
    if address is None:
        yield executor
        return
    cluster = Cluster(address)
    # What happens to the cluster is said in words; its client would say it in tracebacks as well.
    for name in ("distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    address : str
        Of its scheduler: ``tcp://host:8786``.

    Raises
    ------
    ClusterError
        If it is not there, has no worker, or its workers are not of this version.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
            from distributed.comm.addressing import parse_address, parse_host_port
        except ImportError:
            raise ClusterError(
                "--cluster needs the extra 'dask', here and on the workers: "
                "python -m pip install 'pytest-d0parity[dask]'"
            ) from None
        self._address = printable(address)
        self._version = version("pytest-d0parity")
        try:
            parse_host_port(parse_address(address)[1])
        except ValueError:
            raise ClusterError(f"{self._address} is no address of a Dask scheduler; tcp://host:8786 is one") from None
        try:
            self._client: Any = Client(address, timeout=_PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self._address} within {_PATIENCE} seconds ({type(error).__name__}): "
                "check the address, and that it runs"
            ) from None
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Callable[[str, float], None]
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets: see `capture.Executor`.

        Raises
        ------
        ExecutorError
            If some could not be captured, after all others were.
        """
        from distributed import as_completed

        from .executor import ExecutorError

        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        names = {}
        for rank, name in enumerate(largest_first):
            # Nothing is left behind on a worker that another one could miss when it dies.
            future = self._client.submit(
                _capture, job.for_worker(name), name, self._version, pure=False, priority=-rank
            )
            names[future] = name
        failures = []
        for future in as_completed(list(names), loop=self._client.loop):  # type: ignore[no-untyped-call]
            name = names.pop(future)
            try:
                captured: CaptureResult | None = future.result() if future.status == "finished" else None
            except (OSError, CancelledError):  # the scheduler went while the result was on its way
                captured = None
            if captured is None:
                failures.append(f"{printable(name)}: {_reason(future)}")
            else:
                progress(name, 1.0)
                yield name, captured
        if failures:
            raise ExecutorError(f"the cluster at {self._address} gave no result for {'; '.join(failures)}")

    def close(self) -> None:
        """Leave the cluster; what it still does for us ends."""
        self._client.close()

    def _check_workers(self) -> None:
        # A question that every worker can answer, whatever it has: a cluster that grows with its work grows for it.
        try:
            self._client.submit(platform.python_version, pure=False).result(timeout=_PATIENCE)
        except TimeoutError:
            raise ClusterError(
                f"no worker of the cluster at {self._address} answers within {_PATIENCE} seconds: "
                f"start one (dask worker {self._address})"
            ) from None
        answers = self._client.run(version, "pytest-d0parity", on_error="return")
        others = {
            printable(worker): "does not have it" if isinstance(answer, BaseException) else f"has {answer}"
            for worker, answer in answers.items()
            if answer != self._version
        }
        if others:
            told = "; ".join(f"{worker} {answer}" for worker, answer in others.items())
            raise ClusterError(
                "the log must not depend on who measures, so all workers need pytest-d0parity "
                f"{self._version}, as here: {told}"
            )


def _capture(job: CaptureJob, name: str, expected: str) -> CaptureResult:
    """Capture a dataset, on a worker."""
    here = version("pytest-d0parity")
    if here != expected:  # it has come to the cluster after the others were asked
        raise ClusterError(f"a worker has pytest-d0parity {here}, and not {expected}")
    return job.capture(name)


def _reason(future: Any) -> str:
    error = future.exception() if future.status == "error" else None
    match error:
        case None:
            return "the scheduler has gone, or has dropped it"
        case ClusterError():
            return str(error)
    if type(error).__name__ == "KilledWorker":
        return "every worker that tried has died, most likely for want of memory"
    return f"{type(error).__name__}: {error}"
