"""Reads NPZ files: the zip directory, the headers of the arrays, and the values of an array as a stream.

Nothing is unpickled. An array is decompressed block by block, so that it is never in memory as a whole, and
its length and CRC-32 are checked on the way.

Sources: the ZIP format (PKWARE APPNOTE 6.3.10) and NumPy's description of ``.npy`` (NEP 1).
"""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from ..util.errors import ParityError
from ..util.files import LFS_POINTER, open_regular

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_MAX_HEADER = 10_000  # bytes of a .npy header; NumPy's own limit
_PIECE = 1 << 16  # bytes of compressed data that are read at a time
_ENCRYPTED = 0x1  # flag of a zip member
_MAX_RATIO = 1032  # of decompressed to compressed size, for any deflate stream
_MAX_LENGTH = 1 << 62  # of an axis
_MAX_DIMENSIONS = 32  # the limit of NumPy 1


class NpzError(ParityError, ValueError):
    """An NPZ file or a member cannot be read. The message is a reason that follows the name of the file."""


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
        stream = _MemberStream(self._file, member._info)
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
        stream = _MemberStream(self._file, member._info)
        for start in range(0, member.size_bytes, _PIECE):
            stream.read(min(_PIECE, member.size_bytes - start))
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

    def _member(self, info: zipfile.ZipInfo) -> Member:
        """Read the header of a member, and check it against the size of the member."""
        stream = _MemberStream(self._file, info)
        shape, fortran_order, dtype, data_at = _npy_header(stream)
        length = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and data_at + length != info.file_size:
            raise NpzError(
                f"its header announces shape {shape} of {dtype}, {length} bytes, "
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


class _MemberStream:
    """The uncompressed bytes of one member as a stream, with checks of length and CRC-32 at the end."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise NpzError("it is encrypted; save the NPZ without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(f"it uses zip compression method {info.compress_type}; NumPy stores (0) or deflates (8)")
        ratio = 1 if info.compress_type == zipfile.ZIP_STORED else _MAX_RATIO
        if info.file_size > ratio * info.compress_size or info.compress_size > os.fstat(file.fileno()).st_size:
            raise NpzError(f"it announces {info.file_size} bytes, which its {info.compress_size} bytes cannot hold")
        self._file = file
        self._info = info
        self._position = _data_offset(file, info)
        self._compressed_left = info.compress_size
        self._crc = 0
        self._length = 0
        self._inflater = (
            igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
            if info.compress_type == zipfile.ZIP_DEFLATED
            else None
        )

    def read(self, length: int) -> bytes:
        """Return exactly this many bytes."""
        pieces = []
        missing = length
        while missing:
            piece = self._decompress(missing)
            if not piece:
                at = f"{self._length} of {self._info.file_size} bytes"
                raise NpzError(f"its data ends after {at}: the file is truncated or damaged")
            pieces.append(piece)
            missing -= len(piece)
        # Mostly there is only one piece, which need not be copied.
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        """Check that the data ends here and that its CRC-32 is the recorded one."""
        if self._decompress(1) or self._compressed_left:
            raise NpzError(f"its data goes on after the {self._info.file_size} bytes that the archive announces")
        if self._inflater is not None and not self._inflater.eof:
            raise NpzError("its compressed data has no end: the file is truncated or damaged")
        if self._crc != self._info.CRC:
            raise NpzError(
                f"its CRC-32 is {self._crc:08x} where the archive says {self._info.CRC:08x}: the file is damaged; "
                "copy it again"
            )

    def _decompress(self, limit: int) -> bytes:
        """Return up to `limit` more bytes; none at the end."""
        if self._inflater is None:
            piece = self._read_compressed(min(limit, _PIECE))
        else:
            piece = b""
            while not piece and not self._inflater.eof:
                data = self._read_compressed(_PIECE) if self._inflater.needs_input else b""
                if self._inflater.needs_input and not data:
                    break
                try:
                    piece = self._inflater.decompress(data, limit)
                except igzip_lib.IsalError:  # type: ignore[misc]
                    raise NpzError("its compressed data is damaged; copy the file again") from None
        self._crc = isal_zlib.crc32(piece, self._crc)
        self._length += len(piece)
        return piece

    def _read_compressed(self, limit: int) -> bytes:
        """Return up to `limit` bytes as they are in the archive."""
        self._file.seek(self._position)
        data = self._file.read(min(limit, self._compressed_left)) or b""
        self._position += len(data)
        self._compressed_left -= len(data)
        return data


def _read_directory(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Read the zip directory."""
    start = file.read(len(LFS_POINTER)) or b""
    if not start:
        raise NpzError("it is empty; copy it again")
    if start == LFS_POINTER:
        raise NpzError("it is a Git LFS pointer, not the data: run 'git lfs pull'")
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
        elif ".." in parts or parts[0] == "" or "\0" in info.orig_filename:
            yield info, "its name points out of the archive; write the file with numpy.savez"
        else:
            yield info, None


def _array_name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where the data of a member begins, which only its local header tells."""
    fixed = b""
    if 0 <= info.header_offset < os.fstat(file.fileno()).st_size:
        file.seek(info.header_offset)
        fixed = file.read(_LOCAL_HEADER.size) or b""
    if len(fixed) < _LOCAL_HEADER.size or not fixed.startswith(b"PK\x03\x04"):
        raise NpzError("the archive's directory points to no member: the file is truncated or damaged")
    *_, name_length, extra_length = _LOCAL_HEADER.unpack(fixed)
    name = file.read(name_length) or b""
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    if name.decode(encoding, "replace") != info.orig_filename:
        raise NpzError(f"the archive's directory and its own header disagree about its name ({name!r})")
    return info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _npy_header(stream: _MemberStream) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read the header of an ``.npy`` member: shape, memory order, dtype, and where its data begins."""
    if stream._info.file_size < 10:
        raise NpzError("it is not an .npy array (too short); remove it from the archive")
    start = stream.read(8)
    if not start.startswith(b"\x93NUMPY"):
        raise NpzError(f"it is not an .npy array (it starts with {start!r}); remove it from the archive")
    version = (start[6], start[7])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise NpzError(f"it is of .npy version {version[0]}.{version[1]}; known are 1.0, 2.0 and 3.0")
    prefix = stream.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(prefix, "little")
    if length > _MAX_HEADER:
        raise NpzError(f"its header is {length} bytes long; NumPy reads at most {_MAX_HEADER}")
    header = stream.read(length)
    data_at = len(start) + len(prefix) + length
    try:
        if version == (3, 0):
            # Version 3 is version 2 in UTF-8. With non-ASCII characters escaped, it is the same Python literal.
            header = header.decode("utf-8").encode("ascii", "backslashreplace")
            prefix = len(header).to_bytes(4, "little")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of headers that Python 2 has written
            shape, fortran_order, dtype = read(io.BytesIO(prefix + header), max_header_size=4 * _MAX_HEADER)
    # NumPy parses a literal and makes a dtype of it, which for a hostile text may raise anything.
    except Exception:
        raise NpzError("its .npy header cannot be read: it is damaged, or was not written by NumPy") from None
    if not all(0 <= length < _MAX_LENGTH for length in shape) or len(shape) > _MAX_DIMENSIONS:
        raise NpzError("its header announces an impossible shape")
    if dtype.subdtype is not None:
        raise NpzError("its header announces an array as its dtype, which NumPy itself never writes")
    return tuple(int(length) for length in shape), bool(fortran_order), dtype, data_at
