"""Temporary files and folders beside what they will become, which the next run sweeps where their maker was killed.

Each has a lock that its maker holds for as long as he lives: of a file it is on the file itself, of a folder on a file
beside it. What nobody holds is left behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .runtime import undisturbed

try:
    from fcntl import LOCK_EX, LOCK_NB, flock

    HAS_LOCKS = True
except ImportError:  # Windows, where an open file cannot be removed, which serves as well
    HAS_LOCKS = False

_PREFIX, _SUFFIX, _MARK = ".d0parity-", ".tmp", ".tmp-alive"
_HOUR = 3600  # seconds: where the file system has no locks, what is older is nobody's
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}


def open_temporary(folder: str, suffix: str = _SUFFIX) -> tuple[str, int]:
    """Make a file in a folder, hold it, and return its path and descriptor.

    Its name is short, because that of what it will become may be as long as the file system allows.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    while True:
        path = os.path.join(folder, f"{_PREFIX}{os.getpid()}-{os.urandom(6).hex()}{suffix}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if _is_held(descriptor) and os.path.exists(path):  # nobody has swept it before it was held
            return path, descriptor
        os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    """Take the lock of a file; whether it is now ours, as far as there are locks."""
    if HAS_LOCKS:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # no locks here; after an hour it counts as left behind
    return True


class ScratchFolder:
    """A new folder, held until it is removed. What killed runs have left beside it is swept.

    Parameters
    ----------
    parent : str
        The folder in which it is made.

    Attributes
    ----------
    path : str

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, parent: str) -> None:
        sweep(parent)
        self._descriptor = -1
        try:
            with undisturbed():  # what is made and not yet known would stay
                self._mark, self._descriptor = open_temporary(parent, _MARK)
                self.path = f"{self._mark.removesuffix(_MARK)}{_SUFFIX}"
                os.mkdir(self.path, 0o700)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove it with its contents; a second time does nothing."""
        if self._descriptor < 0:
            return
        try:
            shutil.rmtree(self.path, ignore_errors=True)
        except KeyboardInterrupt:  # in the middle of removing; an `Interruption` lets no second one through
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(OSError):
                os.unlink(self._mark)


@contextmanager
def scratch_folder(parent: str) -> Iterator[str]:
    """Make a new folder in `parent`, yield its path, and remove it with its contents at the end."""
    folder: ScratchFolder | None = None
    try:
        with undisturbed():
            folder = ScratchFolder(parent)
        yield folder.path
    finally:
        if folder is not None:
            folder.remove()


def sweep(folder: str) -> None:
    """Remove what killed runs have left in a folder. What cannot be removed stays."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(folder) if name.startswith(_PREFIX)]
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(_MARK):
                _sweep_folder(path)
            elif name.endswith(_SUFFIX) and os.path.isfile(path):
                _remove_left_behind(path)
            elif name.endswith(_SUFFIX) and name.removesuffix(_SUFFIX) + _MARK not in names:
                _remove_old(path)


def _sweep_folder(mark: str) -> None:
    folder = f"{mark.removesuffix(_MARK)}{_SUFFIX}"
    if _remove_left_behind(mark):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_behind(path: str) -> bool:
    """Remove a file that nobody holds; whether it was removed."""
    try:
        if not HAS_LOCKS:
            os.unlink(path)  # fails where somebody has it open
            return True
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS and _remove_old(path)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
            return True
        return False
    finally:
        os.close(descriptor)


def _remove_old(path: str) -> bool:
    with contextlib.suppress(OSError):
        if time.time() - os.lstat(path).st_mtime > _HOUR:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
            return True
    return False
