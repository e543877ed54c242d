"""The params in a zip, such as the weights of a model that were saved with them."""

from __future__ import annotations

import struct
import zipfile
from io import FileIO

from ...util.text import quoted
from ..zip_member import MemberStream, NpzError
from .placeholders import UnreadableError

_NAMES = ("params.dill", "config.json")  # of members, the first that is there
_MAX_MEMBERS = 16  # that are read
_MAX_SIZE = 64 << 20  # bytes of them together
_ENCRYPTED = 0x1  # flag of a member


def find_members(file: FileIO) -> list[zipfile.ZipInfo]:
    """Find every ``params.dill`` in a zip; without one, every ``config.json``. No member is opened.

    Raises
    ------
    UnreadableError
        If there is none, or one is encrypted, or they are too many or too large.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    # For a damaged directory zipfile raises more than the documented BadZipFile.
    except (zipfile.BadZipFile, ValueError, LookupError, ArithmeticError, NotImplementedError, struct.error):
        raise UnreadableError("its zip directory cannot be read: the file is damaged; copy it again") from None
    for wanted in _NAMES:
        found = [info for info in infos if info.filename.rpartition("/")[2] == wanted]
        if len(found) > _MAX_MEMBERS:
            raise UnreadableError(f"it is a zip of {len(found)} files {wanted}; at most {_MAX_MEMBERS} are read")
        for info in found:
            _check_member(info)
        if (size := sum(info.file_size for info in found)) > _MAX_SIZE:
            raise UnreadableError(
                f"the {len(found)} files {wanted} in it announce {size:,} bytes; {_MAX_SIZE >> 20} MiB are read"
            )
        if found:
            return found
    if any(info.filename.endswith(".npy") for info in infos):
        raise UnreadableError("it is an NPZ file, the data; a params.dill is expected")
    raise UnreadableError(f"it is a zip without a {' or a '.join(_NAMES)}")


def _check_member(info: zipfile.ZipInfo) -> None:
    """Refuse a member by what the directory of the zip says of it, before anything of it is read."""
    name = f"{quoted(info.filename)} in it"
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableError(f"{name} is encrypted; save it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableError(f"{name} uses zip compression method {info.compress_type}; 0 and 8 (deflate) are read")
    if info.file_size > _MAX_SIZE:
        raise UnreadableError(f"{name} announces {info.file_size:,} bytes; {_MAX_SIZE >> 20} MiB are read")


def read_member(file: FileIO, info: zipfile.ZipInfo) -> bytes:
    """Read a member of a zip.

    Raises
    ------
    UnreadableError
        If it is damaged.
    """
    try:
        stream = MemberStream(file, info)
        data = stream.read(info.file_size)
        stream.finish()
    except NpzError as error:
        raise UnreadableError(f"{quoted(info.filename)} in it: {error}") from None
    return data
