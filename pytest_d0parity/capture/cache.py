"""Measurements kept for the next run: the same bytes give the same values."""

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

# Light: what reads and writes entries is imported when there are some, so that a glance costs nothing.


ALGORITHMS = 2  # raised whenever a measured value, or a sentence about one, may come out differently
MAX_ENTRIES = 20_000  # some 5 KB each

_DIGEST = 32  # bytes


def default_folder() -> Path:
    """Where the user's measurements are kept: ``d0parity`` in the cache directory of the platform."""
    return user_cache_path("d0parity", appauthor=False)


def users_cache(tell: Callable[[str], None] = lambda _: None) -> MeasurementCache | None:
    """Give the user's cache.

    Parameters
    ----------
    tell : callable, optional
        Told, in a sentence, where nothing can be kept.

    Returns
    -------
    MeasurementCache or None
        None where nothing can be kept: every dataset is measured anew then.
    """
    folder = default_folder()
    cache = MeasurementCache(folder)
    try:
        cache.prepare()
    except OSError as error:
        tell(
            f"no measurement is kept for the next run, since {printable(str(folder))} cannot be written to: "
            f"{describe_os_error(error)}"
        )
        return None
    return cache


class MeasurementCache:
    """Measurements by the SHA-256 of the file and the version of the algorithms.

    Processes may share it: an entry is there as a whole or not at all. One that is damaged counts as not there.

    Parameters
    ----------
    folder : path
        Where entries are kept; it is made when it is needed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # Amplitudes and phases pass through the platform's own functions, which differ in the last bit.
        self._folder = Path(folder) / f"measurements-{ALGORITHMS}-{MACHINE.replace(' ', '-')}"
        self._sizes: set[int] | None = None

    def prepare(self) -> None:
        """Make the folder, and forget the entries that were not used for the longest time.

        Raises
        ------
        OSError
            If nothing can be kept there.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no entries can be added", str(self._folder))
        entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".msgpack")]
        if len(entries) > MAX_ENTRIES:
            entries.sort(key=_last_used)
            for entry in entries[: len(entries) - MAX_ENTRIES // 2]:
                Path(entry.path).unlink(missing_ok=True)

    def may_know(self, size: int) -> bool:
        """Whether a file of this size has ever been measured; if not, there is no need to hash it first."""
        if self._sizes is None:
            try:
                names = os.listdir(self._folder)
            except OSError:
                names = []
            self._sizes = {int(head) for name in names if (head := name.partition("-")[0]).isdecimal()}
        return size in self._sizes

    def recall(self, sha256: str, size: int) -> Measurement | None:
        """Give what was measured of a file, or None where that is not known."""
        import msgspec

        from .measurement import Measurement

        path = self._path(sha256, size)
        try:
            entry = path.read_bytes()
            if hashlib.sha256(entry[_DIGEST:]).digest() != entry[:_DIGEST]:
                return None
            measurement = msgspec.msgpack.decode(entry[_DIGEST:], type=Measurement)
            os.utime(path)  # used just now
        except (OSError, msgspec.MsgspecError):
            return None
        same = (measurement.sha256, measurement.size_bytes) == (sha256, size)
        return measurement if same else None

    def keep(self, measurement: Measurement) -> None:
        """Keep a measurement, if it is one of the file's bytes alone and the folder takes it."""
        if not measurement.is_repeatable or measurement.sha256 is None or measurement.size_bytes is None:
            return
        import msgspec

        content = msgspec.msgpack.encode(measurement)
        path = self._path(measurement.sha256, measurement.size_bytes)
        try:
            write_atomically(path, hashlib.sha256(content).digest() + content, durable=False)
        except OSError:
            return  # what is not kept is measured again
        if self._sizes is not None:
            self._sizes.add(measurement.size_bytes)

    def _path(self, sha256: str, size: int) -> Path:
        return self._folder / f"{size}-{sha256}.msgpack"


def _last_used(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # somebody else has forgotten it just now
        return 0.0
