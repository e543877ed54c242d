"""The cache of measurements: files with the same bytes are measured once.

Whoever can write an entry can say what a file holds. So the folder is one that only its owner can write, and the
entries are regular files of his. Where a CI system carries the folder from job to job, a key of the user's,
``D0PARITY_CACHE_KEY``, seals the entries: without it nobody can make one that is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from ..util.atomic import write_atomically
from ..util.files import describe_os_error
from ..util.provenance import MACHINE
from ..util.text import printable

if TYPE_CHECKING:
    from .dataset.measurement import Measurement

# The number of processes is chosen before NumPy and msgspec are imported, and depends on what is cached. So these are
# imported only where an entry is read or written.

ALGORITHM_VERSION = 9  # raised whenever a measured value, a sentence about one, or the form of an entry changes
MAX_ENTRIES = 10_000  # some 5 KB each, and up to 80 KB of pictures

KEY = "D0PARITY_CACHE_KEY"  # an environment variable

_DIGEST_BYTES = 32
_MAX_BYTES = 16 << 20  # of an entry
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UntrustedFolderError(Exception):
    """Others than the user can write to a folder. The message continues a sentence that begins with its name."""


def default_folder() -> Path:
    """Return the folder of the user's cache: ``d0parity`` in the cache directory of the platform."""
    return user_cache_path("d0parity", appauthor=False)


def open_user_cache(note: Callable[[str], None] = lambda _: None) -> MeasurementCache | None:
    """Open the user's cache.

    Parameters
    ----------
    note : callable, optional
        Called with a sentence if the cache cannot be used.

    Returns
    -------
    MeasurementCache or None
        None if the folder cannot be written to, or others can write to it; every dataset is measured then.
    """
    folder = default_folder()
    cache = MeasurementCache(folder)
    try:
        cache.prepare()
    except UntrustedFolderError as error:
        note(f"the cache of measurements is not used, since {error}")
        return None
    except OSError as error:
        note(
            f"no measurement is kept for the next run, since {printable(str(folder))} cannot be written to: "
            f"{describe_os_error(error)}"
        )
        return None
    return cache


class MeasurementCache:
    """Measurements by the SHA-256 of the file and the version of the algorithms.

    Several processes can use one folder at once: entries are written atomically. A damaged entry counts as missing.

    Parameters
    ----------
    folder : path
        Where the entries are; made if it does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # Amplitudes and phases use functions of the platform's C library, which differ in the last bit.
        self._root = Path(folder)
        self._folder = self._root / f"measurements-{ALGORITHM_VERSION}-{MACHINE.replace(' ', '-')}"
        self._sizes: set[int] | None = None

    def prepare(self) -> None:
        """Make the folder. If it holds too many entries, remove those that were used least recently.

        Raises
        ------
        OSError
            If nothing can be written there.
        UntrustedFolderError
            If others can write there, or could once.
        """
        self._root.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._root, self._folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            _check_private(folder)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no entries can be added", str(self._folder))
        entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".msgpack")]
        if len(entries) > MAX_ENTRIES:
            entries.sort(key=_last_used)
            for entry in entries[: len(entries) - MAX_ENTRIES // 2]:
                with contextlib.suppress(OSError):  # another process has removed it, or it is no file
                    os.unlink(entry.path)

    def has_size(self, size: int) -> bool:
        """Return whether there is an entry for any file of this size. If not, a file need not be hashed to look."""
        if self._sizes is None:
            try:
                names = os.listdir(self._folder)
            except OSError:
                names = []
            self._sizes = {int(head) for name in names if (head := name.partition("-")[0]).isdecimal()}
        return size in self._sizes

    def load(self, sha256: str, size: int, variant: str = "") -> Measurement | None:
        """Return the measurement of a file, or None if there is no good entry for it."""
        import msgspec

        from .dataset.measurement import Measurement

        try:
            path = self._path(sha256, size, variant)
            entry = _read_own(path)
            if not hmac.compare_digest(_seal(path, entry[_DIGEST_BYTES:]), entry[:_DIGEST_BYTES]):
                return None
            measurement = msgspec.msgpack.decode(entry[_DIGEST_BYTES:], type=Measurement)
        except (OSError, msgspec.MsgspecError):
            return None
        is_same_file = (measurement.sha256, measurement.size_bytes) == (sha256, size)
        return measurement if is_same_file else None

    def save(self, measurement: Measurement, variant: str = "") -> None:
        """Write an entry, if the measurement is repeatable. A folder that cannot be written to is no error."""
        if not measurement.is_repeatable or measurement.sha256 is None or measurement.size_bytes is None:
            return
        import msgspec

        content = msgspec.msgpack.encode(measurement)
        path = self._path(measurement.sha256, measurement.size_bytes, variant)
        try:
            if path.is_symlink():
                path.unlink()
            write_atomically(path, _seal(path, content) + content, durable=False)
        except OSError:
            return  # the file is measured again next time
        if self._sizes is not None:
            self._sizes.add(measurement.size_bytes)

    def _path(self, sha256: str, size: int, variant: str) -> Path:
        known_as = variant and f"-{hashlib.sha256(variant.encode()).hexdigest()[:16]}"
        return self._folder / f"{size}-{sha256}{known_as}.msgpack"


def _seal(path: Path, content: bytes) -> bytes:
    """Return a digest of an entry and its name, which says what it is about; by the user's key if there is one."""
    return hmac.digest(os.fsencode(os.environ.get(KEY, "")), path.name.encode() + b"\0" + content, "sha256")


def _check_private(folder: Path) -> None:
    """Raise `UntrustedFolderError` if others can write to a folder; where there are no owners, only if it is a link."""
    found = os.lstat(folder)
    shown = printable(str(folder))
    if stat.S_ISLNK(found.st_mode):
        raise UntrustedFolderError(f"{shown} is a link; replace it by a folder")
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "it is no folder", str(folder))
    if not _is_own(found):
        raise UntrustedFolderError(f"{shown} belongs to somebody else; remove it, or name another $XDG_CACHE_HOME")
    if hasattr(os, "geteuid") and found.st_mode & _OTHERS_WRITE:
        raise UntrustedFolderError(f"others can write to {shown}: remove it, and the next run makes one of your own")


def _is_own(found: os.stat_result) -> bool:
    """Whether a file belongs to the user of this process; true where there are no owners, as on Windows."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _read_own(path: Path) -> bytes:
    """Read an entry, and note that it was used just now.

    Raises
    ------
    OSError
        If it is no regular file of this user with this one name, or cannot be read. It never waits.
    """
    if path.is_symlink():  # also told by O_NOFOLLOW, where there is one
        raise OSError(40, "a link", str(path))
    flags = [getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY")]
    with open(os.open(path, os.O_RDONLY | sum(flags)), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _is_own(found) or found.st_size > _MAX_BYTES:
            raise OSError(1, "no entry of this user", str(path))
        os.utime(file.fileno() if os.utime in os.supports_fd else path)
        return file.read()


def _last_used(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0
