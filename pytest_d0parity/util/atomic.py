"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat


def write_atomically(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Replace a file by new bytes so that a reader sees the old file or the whole new one.

    Parameters
    ----------
    path : path-like
        Where the bytes go. A link is followed, so that the file it names is replaced.
    data : bytes
        All of it.
    durable : bool
        Wait until the bytes are on the disk. Without that, a power cut may leave a file of other bytes.

    Raises
    ------
    OSError
        If the bytes cannot be written (no space, no permission). The old file is then untouched
        and no temporary file is left.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    # In the same folder, since a rename is atomic only within one file system. The name is kept
    # short: the target's own may already be as long as the file system allows.
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
