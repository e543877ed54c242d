"""Datasets captured by a Dask cluster that the user already has."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from ..util.errors import ParityError
from ..util.extras import how_to_install
from ..util.text import printable
from .executor import ExecutorError
from .job import CaptureJob, CaptureResult

_TIMEOUT = 10  # seconds to wait for the scheduler, and for a worker


class ClusterError(ParityError):
    """A cluster that cannot be used. The message says why."""


class DaskCluster:
    """An executor: the workers of a Dask cluster.

    Parameters
    ----------
    address : str
        Address of the scheduler: ``tcp://host:8786``.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, has no workers, or a worker does not have this version of pytest-d0parity.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
            from distributed.comm.addressing import parse_address, parse_host_port
        except ImportError:
            raise ClusterError(f"for --cluster, here and on the workers, {how_to_install('dask')}") from None
        self._address = printable(address)
        self._version = version("pytest-d0parity")
        try:
            parse_host_port(parse_address(address)[1])
        except ValueError:
            raise ClusterError(f"{self._address} is no address of a Dask scheduler; tcp://host:8786 is one") from None
        try:
            self._client: Any = Client(address, timeout=_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self._address} within {_TIMEOUT} seconds ({type(error).__name__}): "
                "check the address, and that it runs"
            ) from None
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise
        # Whatever happens to the cluster becomes an error with a message; its library would also log tracebacks.
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def capture(
        self, job: CaptureJob, sizes: Mapping[str, int], progress: Callable[[str, float], None]
    ) -> Iterator[tuple[str, CaptureResult]]:
        """Capture datasets: see `Executor.capture`."""
        from distributed import as_completed

        largest_first = sorted(sizes, key=lambda name: -sizes[name])
        names = {}
        for rank, name in enumerate(largest_first):
            # Each submission brings its whole job along, so that nothing is lost with a worker that dies.
            future = self._client.submit(
                _capture, job.for_worker(name), name, self._version, pure=False, priority=-rank
            )
            names[future] = name
        failures = []
        for future in as_completed(list(names), loop=self._client.loop):  # type: ignore[no-untyped-call]
            name = names.pop(future)
            try:
                result: CaptureResult | None = future.result() if future.status == "finished" else None
            except (OSError, CancelledError):  # the scheduler went while the result was on its way
                result = None
            if result is None:
                failures.append(f"{printable(name)}: {_failure(future)}")
            else:
                progress(name, 1.0)
                yield name, result
        if failures:
            raise ExecutorError(f"the cluster at {self._address} gave no result for {'; '.join(failures)}")

    def close(self) -> None:
        """Disconnect from the cluster, which cancels what is left of the work."""
        self._client.close()

    def _check_workers(self) -> None:
        # Work that any worker can do. A cluster that starts workers on demand starts one for it.
        try:
            self._client.submit(platform.python_version, pure=False).result(timeout=_TIMEOUT)
        except TimeoutError:
            raise ClusterError(
                f"no worker of the cluster at {self._address} answers within {_TIMEOUT} seconds: "
                f"start one (dask worker {self._address})"
            ) from None
        answers = self._client.run(version, "pytest-d0parity", on_error="return")
        others = {
            printable(worker): "does not have it" if isinstance(answer, BaseException) else f"has {answer}"
            for worker, answer in answers.items()
            if answer != self._version
        }
        if others:
            listed = "; ".join(f"{worker} {answer}" for worker, answer in others.items())
            raise ClusterError(
                "the log must not depend on who measures, so all workers need pytest-d0parity "
                f"{self._version}, as here: {listed}"
            )


def _capture(job: CaptureJob, name: str, expected: str) -> CaptureResult:
    """Capture a dataset. Runs on a worker."""
    here = version("pytest-d0parity")
    if here != expected:  # a worker that joined after the check
        raise ClusterError(f"a worker has pytest-d0parity {here}, and not {expected}")
    return job.capture(name)


def _failure(future: Any) -> str:
    error = future.exception() if future.status == "error" else None
    match error:
        case None:
            return "the scheduler has gone, or has dropped it"
        case ClusterError():
            return str(error)
    if type(error).__name__ == "KilledWorker":
        return "every worker that tried has died, most likely for want of memory"
    return f"{type(error).__name__}: {error}"
