"""Opening regular files, reading them in pieces, and their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from io import FileIO
from typing import TypeGuard, TypeVar

File = TypeVar("File", bound=FileIO)

LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # first bytes of a Git LFS pointer
LFS_ADVICE = "run 'git lfs pull'"  # what to do about one, in every message on it
SHA256_PATTERN = "^[0-9a-f]{64}$"  # for JSON Schema and `re`

_PIECE = 1 << 20  # bytes


def is_sha256(value: object) -> TypeGuard[str]:
    """Whether a value is the text of a SHA-256 as ``sha256sum`` prints it: 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(SHA256_PATTERN, value) is not None


def read_pieces(file: FileIO, size: int = sys.maxsize) -> Iterator[memoryview]:
    """Read a file from its current position in pieces of at most 1 MiB.

    Parameters
    ----------
    file : FileIO
        Unbuffered.
    size : int
        How many bytes to read; where there are fewer, all that are left.

    Yields
    ------
    memoryview
        The next bytes. Each piece is overwritten by the next one.
    """
    buffer = memoryview(bytearray(_PIECE))
    while size > 0 and (length := file.readinto(buffer[: min(size, _PIECE)])):
        size -= length
        yield buffer[:length]


class HashedFile(FileIO):
    """A file that is hashed while it is read, so that it need not be read twice; see `open_hashed`.

    Attributes
    ----------
    follows : bool
        Whether a read also hashes everything up to its end. False at first, so that reading a few bytes anywhere
        in the file does not read all that lies before.
    """

    def __init__(self, descriptor: int, mode: str = "rb") -> None:
        super().__init__(descriptor, mode)
        self.follows = False
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `FileIO` does; if `follows`, hash what has not been hashed before."""
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
        """Return the SHA-256 of the whole file, reading what has not been hashed yet.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of bytes hashed since its last call.

        Returns
        -------
        str
            64 lower-case hexadecimal digits, as ``sha256sum`` prints them.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        self._hash_to(sys.maxsize, progress)
        return self._digest.hexdigest()

    def was_written_to(self, before: os.stat_result, sha256: str | None) -> bool:
        """Return whether somebody has changed the file, also where he has set its time back.

        Parameters
        ----------
        before : os.stat_result
            Of the file when it was opened.
        sha256 : str or None
            What its bytes were hashed to, where they were.
        """
        after = os.fstat(self.fileno())
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return True
        # The time of the last change of any kind: of the bytes, or of its time, its name, its owner. The bytes tell.
        return sha256 is not None and after.st_ctime_ns != before.st_ctime_ns and self._hash_again() != sha256

    def _hash_again(self) -> str:
        digest = hashlib.sha256()
        self.seek(0)
        while piece := super().read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()

    def _hash_to(self, end: int, progress: Callable[[int], None] | None = None) -> None:
        self.seek(self._hashed)
        for piece in read_pieces(self, end - self._hashed):
            self._digest.update(piece)
            self._hashed += len(piece)
            if progress is not None:
                progress(len(piece))


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """Open a regular file for reading, and refuse everything else.

    Opening a FIFO would block and reading a device may never end, so the type is checked on the open
    descriptor, after links are followed.

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


def _open(path: str | os.PathLike[str], kind: type[File]) -> File:
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
    """Return what went wrong, without the path, for a sentence that names the path itself."""
    match error:
        case FileNotFoundError():
            return "there is no such file (or it is a link to nothing)"
        case IsADirectoryError():
            return "it is a directory, not a file"
        case PermissionError():
            return "permission denied"
    return error.strerror or str(error)


def size_of(path: str | os.PathLike[str]) -> int:
    """Return the size of a file in bytes; zero where that cannot be found out."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def sha256_file(path: str | os.PathLike[str], progress: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    path : path-like
        A regular file.
    progress : callable, optional
        Called with the number of bytes hashed since its last call.

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
