"""The cache of measurements: files with the same bytes are measured once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from ..util.atomic import write_atomically
from ..util.files import describe_os_error
from ..util.provenance import MACHINE
from ..util.text import printable

if TYPE_CHECKING:
    from .measurement import Measurement

# The number of processes is chosen before NumPy and msgspec are imported, and depends on what is cached. So these are
# imported only where an entry is read or written.

ALGORITHM_VERSION = 6  # raised whenever a measured value, a sentence about one, or the form of an entry changes
MAX_ENTRIES = 20_000  # some 5 KB each

_DIGEST_BYTES = 32


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
        None if the folder cannot be written to; every dataset is measured then.
    """
    folder = default_folder()
    cache = MeasurementCache(folder)
    try:
        cache.prepare()
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
        self._folder = Path(folder) / f"measurements-{ALGORITHM_VERSION}-{MACHINE.replace(' ', '-')}"
        self._sizes: set[int] | None = None

    def prepare(self) -> None:
        """Make the folder. If it holds too many entries, remove those that were used least recently.

        Raises
        ------
        OSError
            If nothing can be written there.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no entries can be added", str(self._folder))
        entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".msgpack")]
        if len(entries) > MAX_ENTRIES:
            entries.sort(key=_last_used)
            for entry in entries[: len(entries) - MAX_ENTRIES // 2]:
                Path(entry.path).unlink(missing_ok=True)

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

        from .measurement import Measurement

        path = self._path(sha256, size, variant)
        try:
            entry = path.read_bytes()
            if hashlib.sha256(entry[_DIGEST_BYTES:]).digest() != entry[:_DIGEST_BYTES]:
                return None
            measurement = msgspec.msgpack.decode(entry[_DIGEST_BYTES:], type=Measurement)
            os.utime(path)  # used just now
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
            write_atomically(path, hashlib.sha256(content).digest() + content, durable=False)
        except OSError:
            return  # the file is measured again next time
        if self._sizes is not None:
            self._sizes.add(measurement.size_bytes)

    def _path(self, sha256: str, size: int, variant: str) -> Path:
        return self._folder / f"{size}-{sha256}{variant and f'-{variant}'}.msgpack"


def _last_used(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0
