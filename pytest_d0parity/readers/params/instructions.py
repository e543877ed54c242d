"""The instructions of a pickle and their arguments, parsed with the tables of `pickletools`, within limits.

Sources: the comments there, and PEP 307, 3154 and 574.
"""

from __future__ import annotations

import codecs
import io
import pickletools
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .placeholders import OpaqueObject, UnreadableError

MAX_OPCODES = 500_000  # of one file; those that make an object count several times
_WEIGHT = 5
_MAKERS = {"EMPTY_SET", "EMPTY_DICT", "DICT", "FROZENSET", "GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
_MAKERS |= {"REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ", "BUILD", "PERSID", "BINPERSID"}
_MAX_PROTOCOL = 5
_MAX_INTEGER_DIGITS = 1300
_MAX_ARGUMENT = 16 << 20  # bytes of a text or an integer
_MAX_TEXT = 32 << 20  # bytes in memory that all texts together take, up to four for each character
_MAX_LINE = 1 << 20  # bytes of an argument that is a line of text (protocol 0)

_Reader = Callable[[io.BytesIO], Any]


def instructions(data: bytes, most: int) -> Iterator[tuple[str, Any]]:
    """Yield name and argument of each instruction, up to the one that ends the pickle.

    A text or an integer that is very long is an `OpaqueObject` instead.

    Raises
    ------
    UnreadableError
        If it has no such end, is of an unknown protocol, or exceeds a limit.
    """
    stream = io.BytesIO(data)
    text = count = 0
    while code := stream.read(1):
        opcode = _OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise UnreadableError(
                f"it is not a complete pickle (byte {code!r} at {stream.tell() - 1} is no instruction)"
            )
        count += _WEIGHT if opcode.name in _MAKERS else 1
        if count > most:
            raise UnreadableError(f"it has more than {most:,} instructions (one that makes an object counts {_WEIGHT})")
        read = _READERS.get(opcode.name) or (opcode.arg.reader if opcode.arg else None)
        try:
            argument = read(stream) if read else None
        # pickletools documents only ValueError, but raises the others for some damaged files.
        except (ValueError, IndexError, KeyError, OverflowError, MemoryError, struct.error) as error:
            raise UnreadableError(f"it is not a complete pickle ({str(error)[:80]})") from None
        if type(argument) in (str, tuple):
            text += sum(map(sys.getsizeof, argument)) if type(argument) is tuple else sys.getsizeof(argument)
            if text > _MAX_TEXT:
                raise UnreadableError(f"its texts take more than {_MAX_TEXT >> 20} MiB of memory")
        if opcode.name == "PROTO" and argument is not None and argument > _MAX_PROTOCOL:
            raise UnreadableError(f"it is of pickle protocol {argument}; 0 to {_MAX_PROTOCOL} are known")
        yield opcode.name, argument
        if code == b".":
            return
    raise UnreadableError("it is not a complete pickle (it has no end)")


def _line(stream: io.BytesIO) -> bytes:
    line = stream.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("a line without an end")
    return line[:-1]


def _read_global(stream: io.BytesIO) -> tuple[str, str]:
    """Read module and name as UTF-8; `pickletools` accepts only ASCII."""
    return _line(stream).decode("utf-8"), _line(stream).decode("utf-8")


def _read_string(stream: io.BytesIO) -> str:
    """Read a text of Python 2, which may hold any bytes; `pickletools` accepts only ASCII."""
    line = _line(stream).strip()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise ValueError("a text without its quotes")
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


def _decimal(read: _Reader) -> _Reader:
    """Let an integer of very many digits not be read: that takes a time that grows with the square of their number."""

    def read_if_short(stream: io.BytesIO) -> Any:
        start = stream.tell()
        line = _line(stream)
        if len(line) > _MAX_INTEGER_DIGITS:
            return OpaqueObject(f"an integer of {len(line):,} digits")
        stream.seek(start)
        return read(stream)

    return read_if_short


def _limited(read: _Reader, width: int, what: str) -> _Reader:
    """Let an argument behind its length not be read where it is very long: that takes several times its memory."""

    def read_if_short(stream: io.BytesIO) -> Any:
        start = stream.tell()
        length = int.from_bytes(stream.read(width), "little")
        if length > _MAX_ARGUMENT and length <= len(stream.getvalue()) - stream.tell():
            stream.seek(length, io.SEEK_CUR)
            return OpaqueObject(f"{what} of {length:,} bytes")
        stream.seek(start)
        return read(stream)

    return read_if_short


def _read_bytearray(stream: io.BytesIO) -> bytearray:
    """Read bytes into place, without a copy of them."""
    length = int.from_bytes(stream.read(8), "little")
    if length > len(stream.getvalue()) - stream.tell():
        raise ValueError("a bytearray without an end")
    value = bytearray(length)
    stream.readinto(value)
    return value


_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_READERS: dict[str, _Reader] = {
    "GLOBAL": _read_global,
    "INST": _read_global,
    "STRING": _read_string,
    "INT": _decimal(pickletools.read_decimalnl_short),
    "LONG": _decimal(pickletools.read_decimalnl_long),
    "BYTEARRAY8": _read_bytearray,
    "LONG4": _limited(pickletools.read_long4, 4, "an integer"),
    "BINSTRING": _limited(pickletools.read_string4, 4, "a text"),
    "BINUNICODE": _limited(pickletools.read_unicodestring4, 4, "a text"),
    "BINUNICODE8": _limited(pickletools.read_unicodestring8, 8, "a text"),
}
