"""The files in a tar, read without unpacking it."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator

from ...util.files import describe_os_error, open_regular
from ...util.text import printable
from .file_tree import ByteRange, RefusedError, TreeError

_BAGIT = "bagit.txt"  # in every bag
_BLOCK = 512  # bytes, of which a tar is made
_MAX_HEADER = 1 << 16  # bytes that tarfile may ask for at once: a name is never longer
_MANY_DIGITS = re.compile(rb"[0-9]{256}")  # tarfile's regular expressions take quadratic time over digits


class TarTree:
    """The files in a tar that has one folder at its top; paths begin below it.

    Parameters
    ----------
    shown_as : str, optional
        What to call it in messages; its path by default.

    Raises
    ------
    TreeError
        If it is no tar, or holds more than one folder.
    """

    def __init__(self, path: str, *, shown_as: str | None = None) -> None:
        self.shown_as = shown_as or path
        self.damage = ""
        self._path = path
        self._members: dict[str, ByteRange | str] = {}  # or why it is refused
        self._tops: dict[str, None] = {}
        try:
            with open_regular(path) as file:
                self._read(_Headers(file), os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise TreeError(f"{printable(self.shown_as)} cannot be read: {describe_os_error(error)}") from None
        if any(isinstance(member, str) and name.removeprefix("./") == _BAGIT for name, member in self._members.items()):
            raise TreeError(
                f"{printable(self.shown_as)} holds no folder, its files lie at the top; a bundle is made a tar by: "
                "tar cf FILE.tar FOLDER"
            )
        if len(self._tops) > 1:
            shown = ", ".join(printable(top) for top in list(self._tops)[:3])
            raise TreeError(f"{printable(self.shown_as)} holds more than the one folder of a bundle: {shown}")
        self.names = tuple(sorted(self._members))

    def byte_range(self, name: str) -> ByteRange:
        """Return the bytes of a file: see `FileTree.byte_range`."""
        member = self._members[name]
        if isinstance(member, str):
            raise RefusedError(member)
        return member

    def _read(self, headers: _Headers, size: int) -> None:
        end = 0
        try:
            with tarfile.open(fileobj=headers, mode="r:", encoding="utf-8") as archive:
                while (member := archive.next()) is not None:
                    if member.size < 0 or member.offset_data <= end:  # headers that lead back would be read for ever
                        raise tarfile.ReadError("its headers contradict each other")
                    end = member.offset_data
                    self._add(member, size)
                end = archive.offset
        # What tarfile raises for a header that is damaged or hostile is not documented beyond its own errors.
        except (tarfile.TarError, OSError, ValueError, ArithmeticError, LookupError, EOFError, RecursionError) as error:
            why = str(error) if isinstance(error, tarfile.TarError) else "its headers contradict each other"
            if not self._members:
                raise TreeError(f"{printable(self.shown_as)} is no tar that can be read: {why}") from None
            self.damage = f"the tar is truncated or damaged ({why}); ask for it again"
            return
        marker = headers.at(end, 2 * _BLOCK)
        if marker != bytes(2 * _BLOCK) or size % _BLOCK:
            self.damage = (
                f"the tar has no end where one is expected (byte {end:,}): it is truncated or damaged; ask for it again"
            )
        elif any(any(piece) for piece in headers.pieces(end)):
            self.damage = f"something follows the end of the tar (byte {end:,}), where nothing belongs"

    def _add(self, member: tarfile.TarInfo, size: int) -> None:
        parts = [part for part in member.name.split("/") if part != "."]
        parts = parts[:-1] if parts and parts[-1] == "" else parts
        if member.isdir() and ".." not in parts and "" not in parts:
            self._tops.update(dict.fromkeys(parts[:1]))
            return
        name, reason = "/".join(parts[1:]), ""
        if ".." in parts or "" in parts or "\\" in member.name:
            name, reason = member.name, "its path leaves the folder of the tar"
        elif len(parts) < 2:
            name, reason = member.name, "it lies beside the folder of the tar"
        elif not member.isreg() or member.issparse():
            reason = "it is no regular file (a link or a device, say), and nothing else belongs into a bundle"
        elif name in self._members:
            reason = "the tar holds it twice, and nobody can say which one is meant"
        elif member.offset_data + member.size > size:
            there = max(size - member.offset_data, 0)
            reason = f"the tar ends after {there:,} of its {member.size:,} bytes: it is truncated; ask for it again"
        self._tops.update(dict.fromkeys(parts[:1] if len(parts) > 1 and not reason else ()))
        self._members[name] = reason or ByteRange(self._path, member.offset_data, member.size)


class _Headers(io.RawIOBase):
    """A file that refuses long reads: hostile headers of a tar announce gigabytes."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header announces {size} bytes")
        data = self._file.read(size) or b""
        if _MANY_DIGITS.search(data):
            raise tarfile.ReadError("a header holds a number of more than 255 digits")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def at(self, offset: int, size: int) -> bytes:
        self.seek(offset)
        return self._file.read(size) or b""

    def pieces(self, offset: int) -> Iterator[bytes]:
        self.seek(offset)
        while piece := self._file.read(_MAX_HEADER):
            yield piece
