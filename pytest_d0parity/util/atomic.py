"""Atomic writing of files."""

from __future__ import annotations

import os
import stat


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
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    # In the same folder, since a rename is atomic only within one file system. The name is short,
    # because that of the target may already have the maximum length.
    temporary = os.path.join(folder, f".d0parity-{os.getpid()}-{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
