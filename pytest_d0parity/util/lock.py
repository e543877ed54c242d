"""A lock of several processes, waited for in bounded time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import ParityError
from .files import describe_os_error
from .runtime import quiet_logger
from .text import printable


class LockError(ParityError):
    """Somebody else holds a lock for too long. The message names the file."""


@contextmanager
def locked(
    path: str, what: str, say: Callable[[str], None], *, patience: float = 10, limit: float = 60
) -> Iterator[None]:
    """Hold a lock. Where the file system has none, that is said, and the work goes on.

    Parameters
    ----------
    path : str
        The file that is locked; it is made where it is not there, and stays.
    what : str
        What is held, for a sentence.
    say : callable
        Is told what is waited for, once that takes longer than `patience`.
    patience, limit : float
        Seconds.

    Raises
    ------
    LockError
        If another process holds it for longer than `limit`.
    """
    from filelock import FileLock, Timeout  # slow to import

    lock = FileLock(path)
    with quiet_logger("filelock"):  # its messages are about our files, and end up in the logs of others' tests
        try:
            try:
                lock.acquire(timeout=patience)
            except Timeout:
                say(f"waiting for {what}, which another process holds by {printable(path)}")
                lock.acquire(timeout=max(limit - patience, 0))
        except Timeout:
            raise LockError(
                f"{what} is held by another process, for {limit:g} s now: end that, or remove {printable(path)} where "
                "there is none, and run again"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = describe_os_error(error) if isinstance(error, OSError) else "the file system has no locks"
            say(f"{what} is not locked, so no other run should write there now: {reason}")
    try:
        yield
    finally:
        with quiet_logger("filelock"):
            lock.release()
