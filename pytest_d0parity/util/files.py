"""Files: opened with care, hashed, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from io import FileIO
from typing import TypeVar

F = TypeVar("F", bound=FileIO)


LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # what Git LFS leaves in place of a file

_PIECE = 1 << 20


class HashedFile(FileIO):
    """A file that is hashed while it is read, so that its bytes are read once; see `open_hashed`.

    Attributes
    ----------
    follows : bool
        Whether a read at some place makes the hash follow up to there. Before that, reads here and there cost
        nothing.
    """

    def __init__(self, descriptor: int, mode: str = "rb") -> None:
        super().__init__(descriptor, mode)
        self.follows = False
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does; what has not been hashed before is hashed now."""
        if not self.follows:
            return super().read(size) or b""
        at = self.tell()
        if at > self._hashed:
            self._hash_to(at)
            self.seek(at)
        data = super().read(size) or b""
        if at == self._hashed:
            self._digest.update(data)
            self._hashed += len(data)
        return data

    def sha256(self, progress: Callable[[int], None] | None = None) -> str:
        """SHA-256 of the whole file: what is missing is read now.

        Parameters
        ----------
        progress : callable, optional
            Told the number of bytes hashed since it was last called.

        Returns
        -------
        str
            64 lower-case hexadecimal digits, as ``sha256sum`` prints them.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        self._hash_to(None, progress)
        return self._digest.hexdigest()

    def _hash_to(self, end: int | None, progress: Callable[[int], None] | None = None) -> None:
        self.seek(self._hashed)
        buffer = memoryview(bytearray(_PIECE))
        while end is None or self._hashed < end:
            length = self.readinto(buffer if end is None else buffer[: end - self._hashed])
            if not length:
                break
            self._digest.update(buffer[:length])
            self._hashed += length
            if progress is not None:
                progress(length)


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """Open a regular file for reading, and nothing else.

    A FIFO would block for ever and a device may never end, so the kind of file is looked at
    once links are followed, on the descriptor that is then read.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    io.FileIO
        Unbuffered, at its start.

    Raises
    ------
    OSError
        If it cannot be opened, or is not a regular file (``errno.EINVAL``).
    """
    return _open(path, FileIO)


def open_hashed(path: str | os.PathLike[str]) -> HashedFile:
    """Open a regular file so that it can be hashed while it is read: see `open_regular`."""
    return _open(path, HashedFile)


def _open(path: str | os.PathLike[str], kind: type[F]) -> F:
    # O_NONBLOCK: opening a FIFO returns at once instead of waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return kind(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def describe_os_error(error: OSError) -> str:
    """Say what the system refused, without the path, for a sentence that names the path itself."""
    match error:
        case FileNotFoundError():
            return "there is no such file (or it is a link to nothing)"
        case IsADirectoryError():
            return "it is a directory, not a file"
        case PermissionError():
            return "permission denied"
    return error.strerror or str(error)


def size_of(path: str | os.PathLike[str]) -> int:
    """Give the number of bytes of a file; zero where it cannot be looked at."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def sha256_file(path: str | os.PathLike[str], progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file's bytes.

    Parameters
    ----------
    path : path-like
        A regular file.
    progress : callable, optional
        Told the number of bytes hashed since it was last called.

    Returns
    -------
    str
        64 lower-case hexadecimal digits, as ``sha256sum`` prints them.

    Raises
    ------
    OSError
        If the file cannot be read or is not a regular file.
    """
    with open_hashed(path) as file:
        return file.sha256(progress)
