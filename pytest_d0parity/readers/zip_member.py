"""A member of a zip archive as a stream of bytes, and the header of the array in it."""

from __future__ import annotations

import ast
import io
import os
import re
import struct
import warnings
import zipfile
from typing import Any, BinaryIO

import numpy as np
from isal import igzip_lib, isal_zlib

from ..util.errors import ParityError
from ..util.text import quoted

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_MAX_HEADER = 10_000  # bytes of a .npy header; NumPy's own limit
PIECE = 1 << 16  # bytes of compressed data that are read at a time
_ENCRYPTED = 0x1  # flag of a zip member
_MAX_RATIO = 1032  # of decompressed to compressed size, for any deflate stream
_MAX_LENGTH = 1 << 62  # of an axis
_MAX_DIMENSIONS = 32  # the limit of NumPy 1


class NpzError(ParityError, ValueError):
    """An NPZ file or a member cannot be read. The message is a reason that follows the name of the file."""


class MemberStream:
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

    @property
    def size(self) -> int:
        """Number of uncompressed bytes that the archive announces."""
        return self._info.file_size

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
            piece = self._read_compressed(min(limit, PIECE))
        else:
            piece = b""
            while not piece and not self._inflater.eof:
                data = self._read_compressed(PIECE) if self._inflater.needs_input else b""
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
        raise NpzError(f"the archive's directory and its own header disagree about its name ({quoted(repr(name), 80)})")
    return info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def read_npy_header(stream: MemberStream) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read the header of an ``.npy`` member: shape, memory order, dtype, and where its data begins."""
    if stream.size < 10:
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
    data_at = len(start) + len(prefix) + length
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unknown escapes, and old names of dtypes
            header = _literal(stream.read(length).decode("utf-8" if version == (3, 0) else "latin-1"))
            shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(
                io.BytesIO(len(header).to_bytes(4, "little") + header), max_header_size=len(header)
            )
    # NumPy parses a literal and makes a dtype of it, which for a hostile text may raise anything.
    except Exception:
        raise NpzError("its .npy header cannot be read: it is damaged, or was not written by NumPy") from None
    if not all(0 <= length < _MAX_LENGTH for length in shape) or len(shape) > _MAX_DIMENSIONS:
        raise NpzError("its header announces an impossible shape")
    if dtype.subdtype is not None:
        raise NpzError("its header announces an array as its dtype, which NumPy itself never writes")
    return tuple(int(length) for length in shape), bool(fortran_order), dtype, data_at


def _literal(header: str) -> bytes:
    """Return a header as a literal of Python 3 in ASCII.

    What is no literal must not reach NumPy, which would look for the numbers of Python 2 in it, in a time that grows
    with the square of its length.
    """
    text = header.strip(" \t\n").encode("ascii", "backslashreplace").decode("ascii")
    try:
        ast.literal_eval(text)
    except SyntaxError:
        text = re.sub(r"(?<=[0-9])L(?=[,)])", "", text)  # a long integer of Python 2
        ast.literal_eval(text)
    return text.encode("ascii")
