"""Atomic writing of files: a reader sees the old file or the whole new one, whatever ends the writer."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from .runtime import undisturbed
from .temporary import open_temporary


class _Replacement:
    """The new content of a file, beside it until it takes its name."""

    def __init__(self, path: str | os.PathLike[str], data: bytes, *, durable: bool) -> None:
        self._target = os.path.realpath(path)
        # In the same folder, since a rename is atomic only within one file system.
        self._temporary, descriptor = open_temporary(os.path.dirname(self._target))
        self._file = open(descriptor, "wb")  # noqa: SIM115 - held until it has its name
        try:
            self._file.write(data)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            if os.path.isdir(self._target):
                raise IsADirectoryError(21, "it is a folder", self._target)
            if os.path.exists(self._target):
                os.chmod(self._temporary, stat.S_IMODE(os.stat(self._target).st_mode))
        except BaseException:
            self.discard()
            raise

    def take_name(self) -> None:
        if os.name == "nt":
            self._file.close()  # an open file cannot be renamed there
        os.replace(self._temporary, self._target)
        self._file.close()

    def discard(self) -> None:
        """Remove it, if it has not taken its name."""
        with contextlib.suppress(OSError):  # of data that does not fit on the disk
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)


def write_atomically(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader sees either the old file or the whole new one.

    Parameters
    ----------
    path : path-like
        The file. If it is a symbolic link, the file it points to is replaced.
    data : bytes
        The whole content.
    durable : bool
        Wait until the data is on the disk. Otherwise the content may be lost in a power failure.

    Raises
    ------
    OSError
        If the file cannot be written (no space, no permission). The old file is then unchanged and
        no temporary file is left.
    """
    new = _Replacement(path, data, durable=durable)
    try:
        new.take_name()
    finally:
        new.discard()


def replace_together(contents: Mapping[str, bytes], stale: Iterable[str], turn: AbstractContextManager[object]) -> None:
    """Write files that belong together: all are made beside, and then take their names one after the other.

    Parameters
    ----------
    contents : mapping of str to bytes
        By path; the last one takes its name last.
    stale : iterable of str
        Files that are no longer, removed before.
    turn : context manager
        Entered for the renames alone. What would interrupt these waits until they are done.

    Raises
    ------
    OSError
        If one of them cannot be made; its ``filename`` is the path. Nothing has been replaced then.
    """
    made: list[_Replacement] = []
    try:
        for path, data in contents.items():
            try:
                made.append(_Replacement(path, data, durable=True))
            except OSError as error:
                error.filename = path
                raise
        with turn, undisturbed():
            for path in stale:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            for new in made:
                new.take_name()
    finally:
        for new in made:
            new.discard()
