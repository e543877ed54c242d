"""One NPZ file measured: everything about it that does not depend on its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..evidence.dataset import ArrayInfo, Frames, Histograms, Pattern, Scalar, Scan, Stats
from ..readers.metadata import NAMES as METADATA_NAMES
from ..readers.npz import Member, NpzFile
from ..readers.zip_member import NpzError
from ..statistics.blocks import is_measurable
from ..statistics.distribution import Distribution, describe
from ..statistics.frames.fingerprints import FrameFingerprints
from ..statistics.frames.frame_statistics import FrameStatistics
from ..statistics.frames.standard_errors import stack_errors
from ..statistics.histograms import ValueCounts, count_values
from ..statistics.photons import PhotonSample, photons_of_frames, with_frames
from ..statistics.records import PartStats, Photons, ProbeStats, StageStats
from ..statistics.scans import ScanIndexError, ScanMeans, check_scan_index, scan_means
from ..statistics.stack import Stack
from ..statistics.stages import EPSILON, grouped_stats, measure_probe, normalized_stats, stage_stats
from ..util.files import HashedFile, describe_os_error, open_hashed
from .member_source import MemberSource, Progress, ProgressCounter
from .other_arrays import SMALL, is_absent, metadata_of, text_elements, with_statistics, with_text

_MAX_SCANS = 256  # that are listed one by one
_MEASURED_ARRAYS = ("diff3d", "probeGuess", "scan_index")

# Shares of the time, for the progress bar only.
_HASHING_SHARE = 0.2  # if the file is hashed first, to look it up
_FIRST_PASS_SHARE = 0.95  # over diff3d


@dataclass(frozen=True)
class FileProblem:
    """A problem with one array of a file, or with the whole file if `array` is empty."""

    severity: Literal["error", "warning"]
    array: str
    message: str


@dataclass
class Measurement:
    """What one NPZ file holds, as far as it can be read."""

    sha256: str | None = None
    size_bytes: int | None = None
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    frames: Frames | None = None
    metadata: dict[str, Scalar] = field(default_factory=dict)
    stats: Stats = field(default_factory=Stats)
    histograms: Histograms = field(default_factory=Histograms)
    scans: tuple[Scan, ...] = ()
    pattern: Pattern | None = None
    photons: Photons | None = None
    standard_errors: dict[str, float] = field(default_factory=dict)
    probe: ProbeStats | None = None
    problems: list[FileProblem] = field(default_factory=list)
    is_repeatable: bool = True  # False after a failure of the disk or for lack of memory, which may not come again

    def error(self, array: str, message: str) -> None:
        """Add a problem: something that could not be read or measured."""
        self.problems.append(FileProblem("error", array, message))

    def warning(self, array: str, message: str) -> None:
        """Add a problem: something that was measured and looks wrong."""
        self.problems.append(FileProblem("warning", array, message))


class MeasurementStore(Protocol):
    """A store of measurements, as `cache.MeasurementCache` is one."""

    def has_size(self, size: int) -> bool:
        """Return whether any file of this size is known."""

    def load(self, sha256: str, size: int, variant: str) -> Measurement | None:
        """Return the measurement of a file, or None if it is not known."""

    def save(self, measurement: Measurement, variant: str) -> None:
        """Store a measurement; those of one file that were asked for in different ways differ in their variant."""


def measure(
    path: str,
    progress: Progress = lambda _: None,
    must_verify: Callable[[Measurement], bool] = lambda _: False,
    cache: MeasurementStore | None = None,
    *,
    measure_all: bool = False,
    overlap: bool = False,
) -> tuple[Measurement, bool]:
    """Measure a dataset, or load its measurement from a cache.

    Parameters
    ----------
    path : str
        The NPZ file.
    progress : callable, optional
        Called now and then with the share of the work that is done, from 0 to 1.
    must_verify : callable, optional
        Called with the measurement. If it returns True, the arrays that are not measured are inflated as well, to
        verify their CRC-32.
    cache : MeasurementStore, optional
        Where to look for a measurement of the same bytes, and to save a new one.
    measure_all : bool
        Measure the arrays that play no stage's role, however large they are, and not only the small ones.
    overlap : bool
        Read, hash and inflate in a second thread while the values are measured.

    Returns
    -------
    measurement : Measurement
        What could be read. Whatever could not is among its problems.
    from_cache : bool
        Whether it was loaded.
    """
    result, from_cache = Measurement(), False
    variant = "all" if measure_all else ""
    try:
        # Opened once, so that the bytes that are hashed are those that are measured, even if the file is replaced.
        with open_hashed(path) as file:
            before = os.fstat(file.fileno())
            size = result.size_bytes = before.st_size
            if cache is not None and cache.has_size(size):
                counter = ProgressCounter(size, lambda share: progress(_HASHING_SHARE * share))
                loaded = cache.load(file.sha256(counter.advance), size, variant)
                result, from_cache = loaded or result, loaded is not None
            npz = None if from_cache else _measure_file(file, result, progress, measure_all, overlap)
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                result.error("", "somebody wrote to it while it was read; run again when it is complete")
            elif cache is not None and not from_cache:
                cache.save(result, variant)
            if must_verify(result):
                npz = npz or NpzFile(file)
                _verify_checksums(npz, result, [name for name in npz.members if not _is_verified(name, result)])
    except OSError as error:
        result.error("", f"it cannot be read: {describe_os_error(error)}")
        result.is_repeatable = False
    # An unforeseen failure in one file must not keep the others out of the log.
    except Exception as error:
        result.error("", f"measuring it failed ({type(error).__name__}): a defect of pytest-d0parity, please report it")
        result.is_repeatable = False
    progress(1.0)
    return result, from_cache


def inspect(path: str, must_verify: Callable[[Measurement], bool]) -> Measurement:
    """Hash a dataset and list its arrays, without measuring them.

    Parameters
    ----------
    path : str
        The NPZ file.
    must_verify : callable
        Called with the hash, the size and the list of arrays. If it returns True, all arrays are inflated, to verify
        their CRC-32.
    """
    result = Measurement()
    try:
        with open_hashed(path) as file:
            result.size_bytes, result.sha256 = os.fstat(file.fileno()).st_size, file.sha256()
            try:
                npz = NpzFile(file)
            except NpzError as error:
                result.error("", str(error))
                return result
            _read_texts(npz, result)
            _list_arrays(npz, result)
            if must_verify(result):
                _verify_checksums(npz, result, npz.members)
    except OSError as error:
        result.error("", f"it cannot be read: {describe_os_error(error)}")
    return result


def _measure_file(
    file: HashedFile, result: Measurement, progress: Progress, measure_all: bool, overlap: bool
) -> NpzFile | None:
    try:
        npz = NpzFile(file)
    except NpzError as error:
        result.sha256 = file.sha256()
        result.error("", str(error))
        return None
    _measure_arrays(npz, file, result, progress, measure_all, overlap)
    result.sha256 = file.sha256()
    return npz


def _list_arrays(npz: NpzFile, result: Measurement) -> None:
    result.arrays = {
        name: ArrayInfo(
            shape=member.shape, dtype=str(member.dtype), crc32=f"{member.crc32:08x}", size_bytes=member.size_bytes
        )
        for name, member in npz.members.items()
    }
    for name, message in npz.broken.items():
        result.error(name, message)


def _read_texts(npz: NpzFile, result: Measurement) -> dict[str, list[str | None]]:
    """Return the elements of the arrays of text by name, and drop the arrays that hold nothing but None."""
    texts = {}
    for name, member in [*npz.members.items()]:
        with _errors_as_problems(result, name):
            elements = text_elements(npz, member)
            if member.dtype.hasobject and is_absent(elements):
                del npz.members[name]
            elif elements is not None and not (member.dtype.hasobject and member.shape):
                texts[name] = elements
            elif elements is None and name in METADATA_NAMES and not member.dtype.hasobject:
                result.warning(name, f"it is no text of up to {SMALL >> 20} MiB, and is not read as metadata")
            elif member.dtype.hasobject and name not in _MEASURED_ARRAYS:
                result.warning(name, "it is an object array, which is a pickle inside: only its header was looked at")
    return texts


def _measure_arrays(
    npz: NpzFile, file: HashedFile, result: Measurement, progress: Progress, measure_all: bool, overlap: bool
) -> None:
    texts = _read_texts(npz, result)
    _list_arrays(npz, result)

    def open_stack(member: Member) -> MemberSource:
        file.follows = True  # from this array on, the largest, the file is hashed as it is read
        return MemberSource(npz, member, lambda share: progress(_FIRST_PASS_SHARE * min(share, 1.0)), overlap)

    with _errors_as_problems(result, "diff3d"):
        _measure_stack(npz, result, open_stack)
    with _errors_as_problems(result, "probeGuess"):
        _measure_probe(npz, result)
    for name, elements in texts.items():
        _record_text(name, elements, result)
    for name, member in npz.members.items():
        is_small = member.size_bytes <= SMALL
        if name not in _MEASURED_ARRAYS and (measure_all or is_small):
            with _errors_as_problems(result, name):
                stream = None if is_small else MemberSource(npz, member, overlap=overlap)
                info, errors = with_statistics(result.arrays[name], npz, member, stream, result.frames)
                result.arrays[name] = info
                result.standard_errors |= {f"arrays.{name}.{key}": u for key, u in errors.items()}
                _warn_if_not_finite(result, name, info)


def _record_text(name: str, elements: list[str | None], result: Measurement) -> None:
    info = result.arrays[name]
    metadata = metadata_of(name, info, elements)
    if metadata is not None:
        result.metadata |= metadata.values
        for remark in metadata.remarks:
            result.warning(name, f"it {remark}")
    if metadata is None or not metadata.values:  # of metadata, the leaves are recorded
        result.arrays[name] = with_text(info, elements)


def _is_verified(name: str, result: Measurement) -> bool:
    """Whether an array was inflated when it was measured, or could not be."""
    info = result.arrays.get(name)
    is_measured = name in _MEASURED_ARRAYS or (info is not None and info.count is not None)
    return is_measured or any(problem.array == name for problem in result.problems)


def _verify_checksums(npz: NpzFile, result: Measurement, names: Iterable[str]) -> None:
    """Inflate arrays to verify their length and CRC-32."""
    for name in names:
        with _errors_as_problems(result, name):
            npz.verify(npz.members[name])


@contextmanager
def _errors_as_problems(result: Measurement, array: str) -> Iterator[None]:
    """Add an error that keeps an array from being read to the problems, instead of raising it."""
    try:
        yield
    except NpzError as error:
        result.error(array, str(error))
    except OSError as error:
        result.error(array, f"it cannot be read: {describe_os_error(error)}")
        result.is_repeatable = False
    except MemoryError:
        result.error(array, "there is not enough memory for it, although only a value per frame is kept")
        result.is_repeatable = False


def _measure_stack(npz: NpzFile, result: Measurement, open_stack: Callable[[Member], MemberSource]) -> None:
    member = npz.members.get("diff3d")
    if member is None:
        if "diff3d" not in npz.broken:
            found = ", ".join(npz.members) or "nothing"
            result.error("diff3d", f"there is no such array in the file (it holds {found}); nothing can be measured")
        return
    _check_dtype(member)
    if not member.shape:
        raise NpzError("it is a single number; a stack of patterns is expected, frames first")
    if not member.size:
        result.warning("diff3d", f"it is empty (shape {member.shape}); its statistics are zeros")
    index = _read_scan_index(npz, result, member.shape[0])

    source = Stack(open_stack(member))
    sample, counts = PhotonSample(member.dtype), ValueCounts(member.size)
    frames = FrameStatistics(source) if member.size else None
    fingerprints = FrameFingerprints(source)
    observers = [sample.add, counts.add, fingerprints.add] if frames else []
    values = describe(source, observers=observers, frames=frames)
    result.frames = Frames(count=member.shape[0], order=fingerprints.order, set=fingerprints.set)

    _warn_if_not_finite(result, "diff3d", values)
    if values.count and values.max <= 0:
        result.warning("diff3d", f"its maximum is {values.max!r}; normalising divides by it, so it should be positive")
    scans = None
    if index is not None:
        scans = scan_means(frames.means() if frames else np.empty(0), index if frames else index[:0])
        result.scans = _scan_records(scans)
    result.stats = Stats(
        raw=stage_stats(values),
        normalized=normalized_stats(values),
        grouped=None if scans is None else grouped_stats(scans),
    )
    raw, divisor = counts.histogram(), values.max + EPSILON
    result.histograms = Histograms(
        raw=raw,
        normalized=raw.divided(divisor) if raw and divisor > 0 else None,
        grouped=None if scans is None else count_values(scans.measured),
    )
    result.photons = sample.count(values, member.shape[0]) if values.count else Photons()
    if frames is not None:
        result.photons = with_frames(result.photons, frames)
        centre = frames.sample.centre()
        result.pattern = None if centre is None else Pattern(row=centre[0], column=centre[1])
        result.standard_errors = stack_errors(frames, index, photons_of_frames(result.photons, frames))


def _scan_records(scans: ScanMeans) -> tuple[Scan, ...]:
    if len(scans.means) > _MAX_SCANS:
        return ()
    columns = (column.tolist() for column in (scans.scan_index, scans.n_patterns, scans.means))
    return tuple(
        Scan(scan_index=index, n_patterns=frames, mean=mean if frames else None)
        for index, frames, mean in zip(*columns, strict=True)
    )


def _read_scan_index(npz: NpzFile, result: Measurement, frames: int) -> NDArray[Any] | None:
    member = npz.members.get("scan_index")
    if member is None:
        if "scan_index" not in npz.broken:
            result.warning("scan_index", "there is no such array in the file; the grouped stage is not measured")
        return None
    try:
        # Checked by its header first, so that an index of absurd length is never read.
        check_scan_index(member.dtype, member.size, frames)
        return npz.read(member).reshape(-1)
    except (ScanIndexError, NpzError) as error:
        result.error("scan_index", f"it {str(error).removeprefix('it ')}; the grouped stage is not measured")
    return None


def _measure_probe(npz: NpzFile, result: Measurement) -> None:
    member = npz.members.get("probeGuess")
    if member is None:
        if "probeGuess" not in npz.broken:
            result.warning("probeGuess", "there is no such array in the file; the probe is not measured")
        return
    _check_dtype(member)
    if member.dtype.kind != "c":
        result.warning("probeGuess", f"it is {member.dtype}, not complex: its phase can only be 0 or pi")
    if not member.size:
        result.warning("probeGuess", f"it is empty (shape {member.shape}); its statistics are zeros")
    probe = measure_probe(MemberSource(npz, member))
    _warn_if_not_finite(result, "probeGuess", probe.amplitude)
    result.probe = probe


def _check_dtype(member: Member) -> None:
    if member.dtype.hasobject:
        raise NpzError("it is an object array, which is a pickle inside and is never loaded; save it as plain numbers")
    if not is_measurable(member.dtype):
        raise NpzError(f"its dtype is {member.dtype}; real or complex numbers are expected")


def _warn_if_not_finite(
    result: Measurement, array: str, stats: ArrayInfo | Distribution | StageStats | PartStats
) -> None:
    if stats.nan_count or stats.inf_count:
        result.warning(
            array, f"it holds {stats.nan_count} NaN and {stats.inf_count} infinite values, left out of the statistics"
        )
