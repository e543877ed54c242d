"""One NPZ file measured: everything about it that does not depend on its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..evidence.model import ArrayInfo, Histograms, Scan, Stats
from ..readers.npz import Member, NpzError, NpzFile
from ..statistics.blocks import is_measurable
from ..statistics.distribution import Distribution, describe
from ..statistics.histograms import ValueCounts, count_values
from ..statistics.photons import AmplitudeSample, count_photons
from ..statistics.records import PartStats, Photons, ProbeStats, StageStats
from ..statistics.scans import FrameMeans, ScanIndexError, ScanMeans, check_scan_index, scan_means
from ..statistics.stages import EPSILON, grouped_stats, measure_probe, normalized_stats, stage_stats
from ..util.files import HashedFile, describe_os_error, open_hashed
from .read_ahead import ahead

Progress = Callable[[float], None]
Suspicion = Callable[["Measurement"], bool]

_SCANS = 256  # listed one by one
_MEASURED = ("diff3d", "probeGuess", "scan_index")

# Shares of the time, for the progress bar alone.
_HASHING = 0.2  # where the file is hashed before anything else
_PASS = 0.95  # the first pass over diff3d


@dataclass(frozen=True)
class Finding:
    """A problem of a file: which array it concerns (empty: the whole file), and what it is."""

    severity: Literal["error", "warning"]
    array: str
    message: str


@dataclass
class Measurement:
    """What one NPZ file holds, filled in as far as it can be read."""

    sha256: str | None = None
    size_bytes: int | None = None
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)
    stats: Stats = field(default_factory=Stats)
    histograms: Histograms = field(default_factory=Histograms)
    scans: tuple[Scan, ...] = ()
    photons: Photons | None = None
    probe: ProbeStats | None = None
    findings: list[Finding] = field(default_factory=list)
    is_repeatable: bool = True  # whether the same bytes give the same again: not where a disk has failed, or memory

    def error(self, array: str, message: str) -> None:
        """Note what could not be read or measured."""
        self.findings.append(Finding("error", array, message))

    def warning(self, array: str, message: str) -> None:
        """Note what was measured and looks wrong."""
        self.findings.append(Finding("warning", array, message))


class Known(Protocol):
    """Where measurements are kept from run to run."""

    def may_know(self, size: int) -> bool:
        """Whether a file of this size has ever been measured."""

    def recall(self, sha256: str, size: int) -> Measurement | None:
        """Give what was measured of the file with these bytes, if that is known."""

    def keep(self, measurement: Measurement) -> None:
        """Keep a measurement."""


def measure(
    path: str,
    progress: Progress = lambda _: None,
    suspect: Suspicion = lambda _: False,
    cache: Known | None = None,
    *,
    overlap: bool = False,
) -> tuple[Measurement, bool]:
    """Measure a dataset.

    Parameters
    ----------
    path : str
        The NPZ file.
    progress : callable
        Told, now and then, which share of the work is done.
    suspect : callable
        Asked, with what was measured, whether all the other arrays shall be inflated as well, to see that their
        CRC-32 is what the archive says.
    cache : Known, optional
        Where what is known of the same bytes is looked up, and kept.
    overlap : bool
        Read, hash and inflate in a thread of its own while the values are measured.

    Returns
    -------
    measurement : Measurement
        Whatever could be read; what could not is in `Measurement.findings`, in words.
    known : bool
        Whether it comes out of the cache.
    """
    result, known = Measurement(), False
    try:
        # Opened once: what is hashed is what is measured, also when somebody replaces the file meanwhile.
        with open_hashed(path) as file:
            before = os.fstat(file.fileno())
            size = result.size_bytes = before.st_size
            if cache is not None and cache.may_know(size):
                counter = _Counter(size, lambda share: progress(_HASHING * share))
                sha256 = file.sha256(counter.advance)
                recalled = cache.recall(sha256, size)
                result, known = recalled or result, recalled is not None
            npz = None if known else _measure_file(file, result, progress, overlap)
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                result.error("", "somebody wrote to it while it was read; run again when it is complete")
            elif cache is not None and not known:
                cache.keep(result)
            if suspect(result):
                npz = npz or NpzFile(file)
                _verify(npz, result, [name for name in npz.members if name not in _MEASURED])
    except OSError as error:
        result.error("", f"it cannot be read: {describe_os_error(error)}")
        result.is_repeatable = False
    # The last resort: whatever we did not foresee in this file must not cost the others their place in the log.
    except Exception as error:
        result.error("", f"measuring it failed ({type(error).__name__}): a defect of pytest-d0parity, please report it")
        result.is_repeatable = False
    progress(1.0)
    return result, known


def inspect(path: str, suspect: Suspicion) -> Measurement:
    """List the arrays of a dataset, without measuring them.

    Parameters
    ----------
    path : str
        The NPZ file.
    suspect : callable
        Asked, with what is known by then, whether every array shall be inflated, to see that its CRC-32 is what the
        archive says.

    Returns
    -------
    Measurement
        The hash and the size of the file, its arrays, and what could not be read.
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
            _list_arrays(npz, result)
            if suspect(result):
                _verify(npz, result, npz.members)
    except OSError as error:
        result.error("", f"it cannot be read: {describe_os_error(error)}")
    return result


def _measure_file(file: HashedFile, result: Measurement, progress: Progress, overlap: bool) -> NpzFile | None:
    try:
        npz = NpzFile(file)
    except NpzError as error:
        result.sha256 = file.sha256()
        result.error("", str(error))
        return None
    _measure_arrays(npz, file, result, progress, overlap)
    result.sha256 = file.sha256()
    return npz


class _Counter:
    """Counts work and tells the share that is done."""

    def __init__(self, total: int, tell: Progress) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._tell = tell

    def advance(self, amount: int) -> None:
        self._done += amount
        self._tell(self._done / self._total)


class _Stream:
    """A member of an NPZ file as a source of statistics."""

    def __init__(self, npz: NpzFile, member: Member, progress: Progress, overlap: bool = False) -> None:
        self._npz = npz
        self._overlap = overlap
        self._member = member
        self._counter = _Counter(member.size, progress)
        self.shape = member.shape
        self.dtype = member.dtype
        self.fortran_order = member.fortran_order

    def blocks(self, sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
        blocks = self._npz.blocks(self._member, sizes)
        for block in ahead(blocks) if self._overlap else blocks:
            yield block
            self._counter.advance(block.size)


def _list_arrays(npz: NpzFile, result: Measurement) -> None:
    result.arrays = {
        name: ArrayInfo(
            shape=member.shape, dtype=str(member.dtype), crc32=f"{member.crc32:08x}", size_bytes=member.size_bytes
        )
        for name, member in npz.members.items()
    }
    for name, trouble in npz.broken.items():
        result.error(name, trouble)


def _measure_arrays(npz: NpzFile, file: HashedFile, result: Measurement, progress: Progress, overlap: bool) -> None:
    _list_arrays(npz, result)
    for name, member in npz.members.items():
        if member.dtype.hasobject and name not in _MEASURED:
            result.warning(name, "it is an object array, which is a pickle inside: only its header was looked at")

    def stream(member: Member) -> _Stream:
        # The large array: from here on the file is hashed as it is read.
        file.follows = True
        return _Stream(npz, member, lambda share: progress(_PASS * min(share, 1.0)), overlap)

    _attempt(result, "diff3d", lambda: _measure_stack(npz, result, stream))
    _attempt(result, "probeGuess", lambda: _measure_probe(npz, result))


def _verify(npz: NpzFile, result: Measurement, names: Iterable[str]) -> None:
    """Inflate arrays for nothing but their length and CRC-32."""
    for name in names:
        _attempt(result, name, partial(npz.verify, npz.members[name]))


def _attempt(result: Measurement, array: str, step: Callable[[], None]) -> None:
    try:
        step()
    except NpzError as error:
        result.error(array, str(error))
    except OSError as error:
        result.error(array, f"it cannot be read: {describe_os_error(error)}")
        result.is_repeatable = False
    except MemoryError:
        result.error(array, "there is not enough memory for it, although only a value per frame is kept")
        result.is_repeatable = False


def _measure_stack(npz: NpzFile, result: Measurement, stream: Callable[[Member], _Stream]) -> None:
    member = npz.members.get("diff3d")
    if member is None:
        if "diff3d" not in npz.broken:
            found = ", ".join(npz.members) or "nothing"
            result.error("diff3d", f"there is no such array in the file (it holds {found}); nothing can be measured")
        return
    _need_numbers(member)
    if not member.shape:
        raise NpzError("it is a single number; a stack of patterns is expected, frames first")
    if not member.size:
        result.warning("diff3d", f"it is empty (shape {member.shape}); its statistics are zeros")
    index = _read_scan_index(npz, result, member.shape[0])

    source = stream(member)
    sample, counts = AmplitudeSample(), ValueCounts(member.size)
    frames = FrameMeans(source) if member.size else None
    values = describe(source, observers=[sample.add, counts.add, frames.add] if frames else [])

    _warn_of_non_finite(result, "diff3d", values)
    if values.count and values.max <= 0:
        result.warning("diff3d", f"its maximum is {values.max!r}; normalising divides by it, so it should be positive")
    scans = None
    if index is not None:
        scans = scan_means(frames.means() if frames else np.empty(0), index if frames else index[:0])
        result.scans = _scans(scans)
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
    result.photons = count_photons(sample, values, member.dtype, member.shape[0]) if values.count else Photons()


def _scans(scans: ScanMeans) -> tuple[Scan, ...]:
    if len(scans.means) > _SCANS:
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
        # The header alone tells what is wrong: an index of absurd length is never read.
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
    _need_numbers(member)
    if member.dtype.kind != "c":
        result.warning("probeGuess", f"it is {member.dtype}, not complex: its phase can only be 0 or pi")
    if not member.size:
        result.warning("probeGuess", f"it is empty (shape {member.shape}); its statistics are zeros")
    probe = measure_probe(_Stream(npz, member, lambda _: None))
    _warn_of_non_finite(result, "probeGuess", probe.amplitude)
    result.probe = probe


def _need_numbers(member: Member) -> None:
    if member.dtype.hasobject:
        raise NpzError("it is an object array, which is a pickle inside and is never loaded; save it as plain numbers")
    if not is_measurable(member.dtype):
        raise NpzError(f"its dtype is {member.dtype}; real or complex numbers are expected")


def _warn_of_non_finite(result: Measurement, array: str, stats: Distribution | StageStats | PartStats) -> None:
    if stats.nan_count or stats.inf_count:
        result.warning(
            array, f"it holds {stats.nan_count} NaN and {stats.inf_count} infinite values, left out of the statistics"
        )
