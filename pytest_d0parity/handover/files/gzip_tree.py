"""The files in a compressed tar, which is unpacked into one plain tar meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from isal import igzip, isal_zlib

from ...util.files import describe_os_error
from ...util.temporary import scratch_folder
from ...util.text import printable
from .file_tree import TreeError
from .tar_tree import TarTree

_UNPACK: Any = igzip.IGzipFile  # which has no types
_DAMAGES: Any = (EOFError, igzip.BadGzipFile, isal_zlib.IsalError)
_PIECE = 1 << 20
_MOST = 200  # times its own size: datasets hardly shrink, and what expands further is made to fill a disk
_RESERVE = 64 << 20  # bytes that stay free


@contextlib.contextmanager
def opened_gzip(path: str) -> Iterator[TarTree]:
    """Yield the files in a ``.tar.gz``; the tar lies in a temporary folder for as long.

    Raises
    ------
    TreeError
        If it is no such archive, or there is no room to unpack it.
    """
    with scratch_folder(tempfile.gettempdir()) as folder:
        unpacked = os.path.join(folder, "bundle.tar")
        damage = _unpack(path, unpacked)
        try:
            tree = TarTree(unpacked, shown_as=path)
        except TreeError:
            if damage:
                raise TreeError(f"{printable(path)} {damage}") from None
            raise
        tree.damage = damage or tree.damage
        yield tree


def _unpack(path: str, target: str) -> str:
    """Unpack an archive, and return what is wrong with it; empty where nothing is."""
    size = os.path.getsize(path)
    most, done = size * _MOST, 0
    free = shutil.disk_usage(os.path.dirname(target)).free - _RESERVE
    where = printable(tempfile.gettempdir())
    try:
        with _UNPACK(path, "rb") as source, open(target, "xb") as file:
            while piece := source.read(_PIECE):
                done += len(piece)
                if done > most:
                    raise TreeError(f"{printable(path)} expands to more than {_MOST} times its size, and is not read")
                if done > free:
                    raise TreeError(
                        f"{printable(path)} is unpacked into {where} to look into it, which has no room for it; set "
                        "TMPDIR to a folder with more room, or unpack it yourself"
                    )
                file.write(piece)
    except _DAMAGES as error:
        return f"is truncated or damaged ({error}); ask for it again"
    except OSError as error:
        raise TreeError(f"{printable(path)} cannot be unpacked into {where}: {describe_os_error(error)}") from None
    return ""
