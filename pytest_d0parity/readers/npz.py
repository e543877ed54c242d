"""Reads NPZ files: the zip directory, the headers of the arrays, and the values of an array as a stream.

Nothing is unpickled. An array is decompressed block by block, so that it is never in memory as a whole, and
its length and CRC-32 are checked on the way.

Sources: the ZIP format (PKWARE APPNOTE 6.3.10) and NumPy's description of ``.npy`` (NEP 1).
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from ..util.files import LFS_ADVICE, LFS_POINTER, open_regular
from ..util.text import quoted
from .zip_member import PIECE, MemberStream, NpzError, read_npy_header

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Member:
    """The header of an array in an NPZ file.

    Attributes
    ----------
    name : str
        Name of the array, without ``.npy``.
    dtype : numpy.dtype
        As stored, including the byte order.
    fortran_order : bool
        Whether the first index runs fastest in the file.
    crc32 : int
        CRC-32 of the uncompressed member (header and data), as recorded in the zip directory.
    size_bytes : int
        Size of the uncompressed member (header and data).
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    crc32: int
    size_bytes: int
    _info: zipfile.ZipInfo = field(repr=False, compare=False)
    _data_at: int = field(repr=False, compare=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class NpzFile:
    """An open NPZ file.

    Parameters
    ----------
    file : path-like or FileIO
        The path of a regular file (links are followed), or an open one, which `close` leaves open.

    Attributes
    ----------
    members : dict of str to Member
        The arrays that can be read, in the order of the archive.
    broken : dict of str to str
        For each array that cannot be read, the reason.

    Raises
    ------
    NpzError
        If the file is not an NPZ archive, or its directory cannot be read.
    OSError
        If the file cannot be opened or is not a regular file.
    """

    def __init__(self, file: str | os.PathLike[str] | FileIO) -> None:
        self._owns = not isinstance(file, FileIO)
        self._file = file if isinstance(file, FileIO) else open_regular(file)
        try:
            self._file.seek(0)
            infos = _read_directory(self._file)
            self.members: dict[str, Member] = {}
            self.broken: dict[str, str] = {}
            for info, defect in _unique_members(infos):
                try:
                    if defect is not None:
                        raise NpzError(defect)
                    member = self._member(info)
                    self.members[member.name] = member
                except NpzError as error:
                    self.broken[_array_name(info)] = str(error)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, unless it was passed in open."""
        if self._owns:
            self._file.close()

    def blocks(self, member: Member, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Stream the elements of an array, in the order in which they are stored.

        Parameters
        ----------
        member : Member
            One of `members`.
        sizes : iterable of int
            Number of elements of each block; their sum is `Member.size`.

        Yields
        ------
        ndarray
            1-D, of the member's dtype.

        Raises
        ------
        NpzError
            If the dtype holds Python objects, the data is too short, too long or cannot be decompressed,
            or its CRC-32 is not the recorded one. The CRC is known only at the end, so the blocks before
            such an error must be discarded.
        """
        if member.dtype.hasobject:
            raise NpzError("it is an object array, which is a pickle inside; save it with a numeric dtype")
        stream = MemberStream(self._file, member._info)
        stream.read(member._data_at)
        for size in sizes:
            yield np.frombuffer(stream.read(size * member.dtype.itemsize), member.dtype)
        stream.finish()

    def verify(self, member: Member) -> None:
        """Decompress an array only to check its length and its CRC-32.

        Parameters
        ----------
        member : Member
            One of `members`, of any dtype.

        Raises
        ------
        NpzError
            As `blocks`.
        """
        stream = MemberStream(self._file, member._info)
        for start in range(0, member.size_bytes, PIECE):
            stream.read(min(PIECE, member.size_bytes - start))
        stream.finish()

    def read(self, member: Member) -> NDArray[Any]:
        """Read a whole array into memory.

        Parameters
        ----------
        member : Member
            One of `members`.

        Returns
        -------
        ndarray
            With the member's shape, dtype and memory order.

        Raises
        ------
        NpzError
            As `blocks`.
        """
        blocks = list(self.blocks(member, [member.size]))
        return blocks[0].reshape(member.shape, order="F" if member.fortran_order else "C")

    def read_pickle(self, member: Member, limit: int) -> bytes:
        """Read the pickle of an array of Python objects, without unpickling it.

        Parameters
        ----------
        member : Member
            One of `members`, whose dtype holds objects.
        limit : int
            Bytes that are read at most.

        Raises
        ------
        NpzError
            As `blocks`, and if the pickle is longer than the limit.
        """
        if member.size_bytes > limit:
            raise NpzError(f"it is an object array, a pickle of {member.size_bytes:,} bytes: too long to look at")
        stream = MemberStream(self._file, member._info)
        data = stream.read(member.size_bytes)
        stream.finish()
        return data[member._data_at :]

    def _member(self, info: zipfile.ZipInfo) -> Member:
        """Read the header of a member, and check it against the size of the member."""
        stream = MemberStream(self._file, info)
        shape, fortran_order, dtype, data_at = read_npy_header(stream)
        length = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and data_at + length != info.file_size:
            raise NpzError(
                f"its header announces shape {shape} of {quoted(dtype, 80)}, {length} bytes, "
                f"but the member holds {info.file_size - data_at} bytes of data"
            )
        return Member(
            name=_array_name(info),
            shape=shape,
            dtype=dtype,
            fortran_order=fortran_order,
            crc32=info.CRC,
            size_bytes=info.file_size,
            _info=info,
            _data_at=data_at,
        )


def _read_directory(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Read the zip directory."""
    start = file.read(len(LFS_POINTER)) or b""
    if not start:
        raise NpzError("it is empty; copy it again")
    if start == LFS_POINTER:
        raise NpzError(f"it is a Git LFS pointer, not the data: {LFS_ADVICE}")
    if start.startswith(b"\x93NUMPY"):
        raise NpzError("it is a single .npy array, not an NPZ archive: write it with numpy.savez")
    if start.startswith(b"PK\x05\x06"):
        raise NpzError("it is an archive without a single array")
    if not start.startswith(b"PK\x03\x04"):
        raise NpzError(f"it is not an NPZ (zip) archive: it starts with {start[:8]!r}")
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.infolist()
    # For a damaged directory zipfile raises more than the documented BadZipFile.
    except (zipfile.BadZipFile, ValueError, LookupError, ArithmeticError, NotImplementedError, struct.error):
        raise NpzError("its zip directory cannot be read: the file is truncated or damaged; copy it again") from None


def _unique_members(infos: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str | None]]:
    """Yield each member once, with what is wrong with its name, or None."""
    by_name: dict[str, list[zipfile.ZipInfo]] = {}
    for info in infos:
        by_name.setdefault(_array_name(info), []).append(info)
    for same in by_name.values():
        info = same[0]
        parts = info.orig_filename.replace("\\", "/").split("/")
        if len(same) > 1:
            yield info, f"{len(same)} members have this name, and nobody can say which one is meant"
        elif ".." in parts or "\0" in info.orig_filename or _DRIVE.match(info.orig_filename):
            yield info, "its name points out of the archive; write the file with numpy.savez"
        else:
            yield info, None


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays in an NPZ file, by its directory alone; none where that cannot be read."""
    try:
        with open_regular(path) as file:
            return [_array_name(info) for info in _read_directory(file)]
    except (NpzError, OSError):
        return []


def _array_name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")
