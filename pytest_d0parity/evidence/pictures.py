"""What the page shows and a log cannot hold, kept beside it: probes, mean patterns, positions, small objects."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..readers.npz import Member, NpzFile
from ..readers.zip_member import NpzError
from ..statistics.blocks import is_measurable
from ..statistics.frames.frame_pictures import FramePictures
from ..util.files import describe_os_error
from ..util.records import ABSENT
from ..util.text import counted
from .artifacts import LOG_SHA256, PICTURES
from .dataset import Dataset
from .model import EvidenceLog

_LARGEST = 1 << 24  # bytes of an array, at most
_ALL = 1 << 26  # bytes of all together, at most

ROLES = ("probeGuess", "xcoords", "ycoords", "objectGuess")  # whose arrays are kept, in the order of their worth
_WORDS = {"probeGuess": "probe", "xcoords": "x position", "ycoords": "y position", "objectGuess": "object"}
_NAME = re.compile(r"(pattern|frames)-([0-9a-f]{64})-(\d{1,6})")


@dataclass(frozen=True)
class Pictures:
    """The pictures of a sweep.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Each distinct array that plays a role, by its name in the archive; see `array_of`.
    frames : dict of str to FramePictures
        By the SHA-256 of the dataset.
    remark : str
        Why some or all are missing, in sentences; empty if none is.
    """

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    frames: Mapping[str, FramePictures] = field(default_factory=dict)
    remark: str = ""

    def array_of(self, dataset: Dataset, role: str) -> NDArray[Any] | None:
        """Return the array that plays a role in a dataset; None where it is not kept."""
        return self.arrays.get(name_of(dataset, role) or "")

    def joined(self, others: Pictures) -> Pictures:
        """Return these pictures and others."""
        return Pictures({**self.arrays, **others.arrays}, {**self.frames, **others.frames})

    def limited_to(self, datasets: Iterable[Dataset]) -> Pictures:
        """Return the pictures of some datasets."""
        datasets = [*datasets]
        names = {name_of(dataset, role) for dataset in datasets for role in ROLES}
        hashes = {dataset.sha256 for dataset in datasets}
        return Pictures(
            {name: array for name, array in self.arrays.items() if name in names},
            {sha256: seen for sha256, seen in self.frames.items() if sha256 in hashes},
        )

    def frames_of(self, dataset: Dataset) -> FramePictures | None:
        """Return what is kept of the frames of a dataset; None where it is not."""
        return self.frames.get(str(dataset.sha256))


def name_of(dataset: Dataset, role: str) -> str | None:
    """Return the name that an array has in the archive, by its role: what the log says of its bytes.

    None where the log holds no checksum of it, as those from before schema version 1 do not.
    """
    info = dataset.arrays.get(dataset.roles.get(role, role))
    if info is None or ABSENT in (info.crc32, info.size_bytes):
        return None
    return f"{role}-{info.crc32}-{info.size_bytes}"


def _has_name(member: Member, name: str) -> bool:
    """Whether an array of the archive has the bytes that its name says."""
    return name.endswith(f"-{member.crc32:08x}-{member.size_bytes}") and name.partition("-")[0] in ROLES


class _Collection:
    """The pictures that were found, as far as there is room for them."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.frames: dict[str, FramePictures] = {}
        self.missing: dict[str, str] = {}
        self.too_large: dict[str, None] = {}
        self._left = _ALL

    def fits(self, size: int, what: str) -> bool:
        """Take so many bytes, if there is room for them."""
        if size > min(_LARGEST, self._left):
            self.too_large[what] = None
            return False
        self._left -= size
        return True

    @property
    def remark(self) -> str:
        said = []
        if self.missing:
            first = next(iter(self.missing.values()))
            said.append(f"{counted(len(self.missing), 'array')} could not be kept for the page; the first: {first}.")
        if self.too_large:
            room = f"{PICTURES} holds {_LARGEST >> 20} MiB each and {_ALL >> 20} MiB in all, so that it lacks "
            said.append(
                f"{room}{counted(len(self.too_large), 'picture')}; the first is the {next(iter(self.too_large))}."
            )
        return " ".join(said)


def collect_pictures(
    datasets: Iterable[Dataset], path_of: Callable[[str], str], frames: Mapping[str, FramePictures]
) -> Pictures:
    """Read the arrays of a sweep that the page shows from its datasets, each distinct one once.

    Parameters
    ----------
    path_of : callable
        Returns the path of a dataset, given its file name.
    frames : mapping of str to FramePictures
        What was seen of the frames when they were measured, by file name.

    Returns
    -------
    Pictures
        Without those that have changed since they were measured, or are larger than 16 MiB, or than 64 MiB together;
        arrays come first.
    """
    datasets, found = [*datasets], _Collection()
    for dataset in datasets:
        _add_arrays(found, dataset, path_of)
    for dataset in datasets:
        seen = frames.get(dataset.filename)
        if seen is None or dataset.sha256 is None or dataset.sha256 in found.frames:
            continue
        if found.fits(len(seen.pattern) + len(seen.values), f"mean pattern of {dataset.filename}"):
            found.frames[dataset.sha256] = seen
    return Pictures(found.arrays, found.frames, found.remark)


def _add_arrays(found: _Collection, dataset: Dataset, path_of: Callable[[str], str]) -> None:
    """Add the arrays of a dataset that were not seen in others."""
    named = {role: name for role in ROLES if (name := name_of(dataset, role)) and name not in found.arrays}
    named = {
        role: name
        for role, name in named.items()
        if (role != "probeGuess" or dataset.probe is not None)
        and found.fits(
            dataset.arrays[dataset.roles.get(role, role)].size_bytes, f"{_WORDS[role]} of {dataset.filename}"
        )
    }
    if not named:
        return
    try:
        with NpzFile(path_of(dataset.filename)) as npz:
            for role, name in named.items():
                member = npz.members.get(dataset.roles.get(role, role))
                if member is None or not _has_name(member, name):
                    raise NpzError("the file has changed since it was measured")
                if is_measurable(member.dtype):
                    found.arrays[name] = npz.read(member)
                found.missing.pop(name, None)
    except NpzError as error:
        found.missing |= dict.fromkeys(named.values(), f"{dataset.filename}: {error}")
    except OSError as error:
        found.missing |= dict.fromkeys(named.values(), f"{dataset.filename}: {describe_os_error(error)}")


def pictures_to_bytes(pictures: Pictures, log_sha256: str) -> bytes:
    """Return pictures, and the SHA-256 of their log, as an NPZ file; the same ones give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array, compression in _members(pictures, log_sha256):
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            # ZipInfo without a date: the first one that the format knows.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), compression)
    return file.getvalue()


def _members(pictures: Pictures, log_sha256: str) -> Iterator[tuple[str, NDArray[Any], int]]:
    for name, array in pictures.arrays.items():
        yield name, array, zipfile.ZIP_DEFLATED
    for sha256, seen in pictures.frames.items():  # noise, which cannot be compressed
        yield f"pattern-{sha256}-{seen.binned}", seen.pattern_array, zipfile.ZIP_STORED
        yield f"frames-{sha256}-{seen.every}", seen.values_array, zipfile.ZIP_STORED
    yield LOG_SHA256, np.array(log_sha256), zipfile.ZIP_DEFLATED


def read_pictures(path: str) -> Pictures:
    """Read the pictures of a log.

    Parameters
    ----------
    path : str
        The archive.

    Returns
    -------
    Pictures
        Without arrays whose name is not that of their bytes; empty, with a remark that says why, if none can be read.
    """
    found, parts = _Collection(), dict[tuple[str, str], tuple[int, NDArray[Any]]]()
    try:
        with NpzFile(path) as npz:
            for name, member in npz.members.items():
                of_frames = _NAME.fullmatch(name)
                known = of_frames or _has_name(member, name)
                if not known or not is_measurable(member.dtype) or not found.fits(member.size_bytes, name):
                    continue
                if of_frames:
                    parts[of_frames[1], of_frames[2]] = int(of_frames[3]), npz.read(member)
                else:
                    found.arrays[name] = npz.read(member)
    except NpzError as error:
        return Pictures(found.arrays, remark=f"{os.path.basename(path)} cannot be read: {error}.")
    except OSError as error:
        return Pictures(found.arrays, remark=f"{os.path.basename(path)} cannot be read: {describe_os_error(error)}.")
    return Pictures(found.arrays, dict(_frames(parts)), found.remark)


def _frames(parts: Mapping[tuple[str, str], tuple[int, NDArray[Any]]]) -> Iterator[tuple[str, FramePictures]]:
    """Yield what is kept of frames where both parts are there, and of the right shape."""
    for kind, sha256 in parts:
        if kind != "pattern" or ("frames", sha256) not in parts:
            continue
        (binned, pattern), (every, values) = parts[kind, sha256], parts["frames", sha256]
        if pattern.ndim == 2 and values.ndim == 1 and pattern.dtype == values.dtype == np.dtype("<f4"):
            yield (
                sha256,
                FramePictures(
                    shape=(pattern.shape[0], pattern.shape[1]),
                    binned=binned,
                    pattern=pattern.tobytes(),
                    values=values.tobytes(),
                    every=every,
                ),
            )


def frames_beside(log: str) -> Mapping[str, FramePictures]:
    """Return what is kept beside a log of the frames of its datasets, by their SHA-256."""
    return read_pictures(pictures_beside(log)).frames


def frames_by_hash(log: EvidenceLog, frames: Mapping[str, FramePictures]) -> dict[str, FramePictures]:
    """Return what was seen of the frames of datasets by their SHA-256, given it by their file names."""
    return {str(each.sha256): frames[each.filename] for each in log.datasets if each.filename in frames}


def pictures_beside(log: str) -> str:
    """Return the path of the pictures of a log: those named after it, as a reference has them, or the run's own."""
    folder, name = os.path.split(log)
    own = os.path.join(folder, named_after(name, PICTURES))
    return own if os.path.lexists(own) else os.path.join(folder, PICTURES)


def named_after(log: str, artifact: str) -> str:
    """Return the name of an artifact that lies beside a reference.

    Examples
    --------
    >>> named_after("parity/reference.json", "pictures.npz"), named_after("reference.json", "SHA256SUMS")
    ('parity/reference.pictures.npz', 'reference.SHA256SUMS')
    """
    return f"{log.removesuffix('.json')}.{artifact}"
