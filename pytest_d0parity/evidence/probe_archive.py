"""The probes of a sweep, kept beside its log, so that the page can show them without the data."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..readers.npz import Member, NpzFile
from ..readers.zip_member import NpzError
from ..statistics.blocks import is_measurable
from ..util.files import describe_os_error
from ..util.records import ABSENT
from .artifacts import LOG_SHA256, PROBES
from .dataset import Dataset

_LARGEST = 1 << 24  # bytes of a probe, at most
_ALL = 1 << 26  # bytes of all probes together, at most

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Probes:
    """The distinct probes of a sweep.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By `name_of_probe`.
    remark : str
        Why some or all are missing, in a sentence; empty if none is.
    """

    arrays: Arrays
    remark: str = ""


def name_of_probe(dataset: Dataset) -> str | None:
    """Return the name that a dataset's probe has in the archive: what the log says of its bytes.

    None where the log holds no checksum of it, as those from before schema version 1 do not.
    """
    info = dataset.arrays.get("probeGuess")
    return None if info is None or ABSENT in (info.crc32, info.size_bytes) else f"{info.crc32}-{info.size_bytes}"


def _name_of(member: Member) -> str:
    return f"{member.crc32:08x}-{member.size_bytes}"


def collect_probes(datasets: Iterable[Dataset], path_of: Callable[[str], str]) -> Probes:
    """Read the probes of a sweep from its datasets, each distinct one once.

    Parameters
    ----------
    path_of : callable
        Returns the path of a dataset, given its file name.

    Returns
    -------
    Probes
        Without those that have changed since they were measured, or are larger than 16 MiB, or than 64 MiB together.
    """
    found: dict[str, NDArray[Any]] = {}
    missing: dict[str, str] = {}
    left = _ALL
    for dataset in datasets:
        name = name_of_probe(dataset)
        if name is None or dataset.probe is None or name in found:
            continue
        try:
            size = dataset.arrays["probeGuess"].size_bytes
            if size > min(_LARGEST, left):
                raise NpzError("it is too large to be kept beside the log")
            with NpzFile(path_of(dataset.filename)) as npz:
                member = npz.members.get("probeGuess")
                if member is None or _name_of(member) != name:
                    raise NpzError("the file has changed since it was measured")
                found[name] = npz.read(member)
            left -= size
            missing.pop(name, None)
        except NpzError as error:
            missing[name] = f"{dataset.filename}: {error}"
        except OSError as error:
            missing[name] = f"{dataset.filename}: {describe_os_error(error)}"
    return Probes(found, _remark(missing))


def _remark(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    first = next(iter(missing.values()))
    return f"The probes of some datasets are not shown ({len(missing)} in all; the first is that of {first})."


def probes_to_bytes(arrays: Arrays, log_sha256: str) -> bytes:
    """Return probes, and the SHA-256 of their log, as an NPZ file; the same ones give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (*arrays.items(), (LOG_SHA256, np.array(log_sha256))):
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            # ZipInfo without a date: the first one that the format knows.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def read_probes(folder: str) -> Probes:
    """Read the probes beside a log.

    Returns
    -------
    Probes
        Without arrays whose name is not that of their bytes; empty, with a remark that says why, if none can be read.
    """
    path = os.path.join(folder, PROBES)
    found: dict[str, NDArray[Any]] = {}
    left = _ALL
    try:
        with NpzFile(path) as npz:
            for name, member in npz.members.items():
                fits = member.size_bytes <= min(_LARGEST, left)
                if fits and is_measurable(member.dtype) and name == _name_of(member):
                    found[name] = npz.read(member)
                    left -= member.size_bytes
    except NpzError as error:
        return Probes(found, f"{PROBES} cannot be read: {error}.")
    except OSError as error:
        return Probes(found, f"{PROBES} cannot be read: {describe_os_error(error)}.")
    return Probes(found)
