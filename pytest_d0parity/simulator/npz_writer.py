"""Writes the arrays of an NPZ file part by part; the same arrays give the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from itertools import chain
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def write_array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], parts: Iterable[NDArray[Any]], dtype: Any = None
) -> None:
    """Write an array part by part, as `numpy.save` does; without parts it is empty and of `dtype`."""
    parts = iter(parts)
    first = next(parts, np.empty(0, dtype))
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": bool(first.flags.f_contiguous and not first.flags.c_contiguous),
        "shape": shape,
    }
    with _open_member(archive, name) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in chain([first], parts):
            member.write(part.tobytes("A"))


def write_text(archive: zipfile.ZipFile, name: str, text: str) -> None:
    """Write a text in the way of ``np.savez(..., name=np.array(text, dtype=object))``: pickled, without axes."""
    with _open_member(archive, name) as member:
        np.lib.format.write_array(member, np.array(text, dtype=object), allow_pickle=True)


def _open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # ZipInfo has a fixed date, so that the same seed gives the same bytes.
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(entry, "w", force_zip64=True)
