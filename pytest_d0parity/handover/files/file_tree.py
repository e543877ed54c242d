"""Files below a folder, as they were handed over: found, hashed and read."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ...util.errors import ParityError
from ...util.files import describe_os_error, open_regular, read_pieces, size_of
from ...util.text import name_as_text, printable, text_as_name, valid_utf8

_LIMIT = 1 << 29


class TreeError(ParityError, ValueError):
    """A folder or tar that cannot be read. The message names it."""


class RefusedError(ParityError, ValueError):
    """A file that is not read, for a reason that follows its name in messages."""


@dataclass(frozen=True)
class ByteRange:
    """The bytes of one file: a whole file on the disk, or a part of a tar.

    Attributes
    ----------
    path : str
        What is opened.
    start : int
        Where the bytes begin.
    size : int or None
        How many there are; None for all.
    """

    path: str
    start: int = 0
    size: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole file."""
        return self.size is None

    def sha256(self, progress: Callable[[float], None] = lambda _: None) -> tuple[str, int]:
        """Hash the bytes.

        Parameters
        ----------
        progress : callable
            Told which share is done.

        Returns
        -------
        size : int
            Number of bytes.

        Raises
        ------
        OSError
            If they cannot be read, are not those of a regular file, or change meanwhile.
        """
        return self._hash(progress, lambda _: None)

    def copy(self, target: str, progress: Callable[[float], None] = lambda _: None) -> tuple[str, int]:
        """Copy the bytes to a new file, and hash them meanwhile: see `sha256`."""
        with open(target, "xb") as file:
            result = self._hash(progress, file.write)
            file.flush()
            os.fsync(file.fileno())
        return result

    def _hash(self, progress: Callable[[float], None], sink: Callable[[memoryview], object]) -> tuple[str, int]:
        digest, done = hashlib.sha256(), 0
        for piece, total in self._pieces():
            digest.update(piece)
            sink(piece)
            done += len(piece)
            progress(done / max(total, 1))
        return digest.hexdigest(), done

    @property
    def length(self) -> int:
        """Number of bytes; zero if the file cannot be looked at."""
        return size_of(self.path) if self.size is None else self.size

    def read(self, limit: int = _LIMIT) -> bytes:
        """Read a file of limited size, such as a log.

        Raises
        ------
        RefusedError
            If it is longer.
        """
        data = bytearray()
        for piece, total in self._pieces():
            if total > limit:
                raise RefusedError(f"it is {total:,} bytes long, and at most {limit:,} are read")
            data += piece
        return bytes(data)

    def _pieces(self) -> Iterator[tuple[memoryview, int]]:
        """Yield the bytes in pieces, and how many there will be; each is overwritten by the next."""
        with open_regular(self.path) as file:
            before = os.fstat(file.fileno())
            total = before.st_size if self.size is None else self.size
            file.seek(self.start)
            for piece in read_pieces(file, total):
                yield piece, total
            after = os.fstat(file.fileno())
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise OSError("somebody wrote to it while it was read; run again when it is complete")


class FileTree(Protocol):
    """Files below a folder.

    Attributes
    ----------
    shown_as : str
        For messages.
    names : tuple of str
        Paths of the files from the top, with slashes; also of what turns out to be none.
    damage : str
        What is wrong with the whole, in words; empty where nothing is.
    """

    shown_as: str
    names: tuple[str, ...]
    damage: str

    def byte_range(self, name: str) -> ByteRange:
        """Return the bytes of one of `names`.

        Raises
        ------
        RefusedError
            If it is nothing that may be read.
        """


class FolderTree:
    """A folder.

    Parameters
    ----------
    deep : bool
        Whether the folders in it belong to it.
    extra_files : mapping of str to str
        Files elsewhere that belong to it as well, by name: those that the user has named himself.

    Raises
    ------
    TreeError
        If it cannot be listed.
    """

    damage = ""

    def __init__(self, path: str, *, deep: bool = False, extra_files: Mapping[str, str] = MappingProxyType({})) -> None:
        self.shown_as = path
        self._extra_files = extra_files
        try:
            self.names = tuple(dict.fromkeys([*_sorted_names(path, deep), *extra_files]))
        except FileNotFoundError:
            raise TreeError(f"{printable(self.shown_as)} does not exist; check the path") from None
        except NotADirectoryError:
            raise TreeError(f"{printable(self.shown_as)} is a file; a folder is needed") from None
        except OSError as error:
            raise TreeError(f"{printable(self.shown_as)} cannot be listed: {describe_os_error(error)}") from None

    def byte_range(self, name: str) -> ByteRange:
        """Return the bytes of a file: see `FileTree.byte_range`."""
        if name in self._extra_files:
            return ByteRange(self._extra_files[name])
        path = os.path.join(self.shown_as, *text_as_name(name).split("/"))
        inside = os.path.realpath(self.shown_as)
        if os.path.commonpath([inside, os.path.realpath(path)]) != inside:
            raise RefusedError(
                f"it is a link that leaves {printable(self.shown_as)}, and such links are not followed; "
                "put the file itself there"
            )
        return ByteRange(path)


def _sorted_names(root: str, deep: bool) -> list[str]:
    return sorted(map(name_as_text, _below(root) if deep else os.listdir(root)))


def _below(root: str) -> Iterator[str]:
    """Yield the files below a folder; links to folders are not followed."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(root, onerror=fail):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in files + links:
            yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def names_by_spelling(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Group file names by their spelling in a log or manifest, where bytes that are not UTF-8 are escaped."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(valid_utf8(name), []).append(name)
    return found


@contextlib.contextmanager
def unpacked(byte_ranges: Mapping[str, ByteRange]) -> Iterator[dict[str, str]]:
    """Yield the paths of files; those in a tar are unpacked into a temporary folder meanwhile.

    Raises
    ------
    TreeError
        If there is no room for it.
    """
    paths = {name: byte_range.path for name, byte_range in byte_ranges.items() if byte_range.is_whole}
    packed = {name: byte_range for name, byte_range in byte_ranges.items() if not byte_range.is_whole}
    if not packed:
        yield paths
        return
    import shutil  # slow to import, and few verifications need it
    import tempfile

    from ...util.temporary import scratch_folder

    with scratch_folder(tempfile.gettempdir()) as folder:
        needed, free = sum(byte_range.size or 0 for byte_range in packed.values()), shutil.disk_usage(folder).free
        where = printable(tempfile.gettempdir())
        if needed > free:
            raise TreeError(
                f"to look into the tar, {needed:,} bytes are unpacked into {where}, which has {free:,} left; "
                "set TMPDIR to a folder with more room, or unpack the tar yourself"
            )
        try:
            for name, byte_range in packed.items():
                paths[name] = os.path.join(folder, *text_as_name(name).split("/"))
                os.makedirs(os.path.dirname(paths[name]), exist_ok=True)
                byte_range.copy(paths[name])
        except OSError as error:
            raise TreeError(f"the tar cannot be unpacked into {where}: {describe_os_error(error)}") from None
        yield paths
