"""The measuring of one NPZ file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from ...evidence.dataset import ArrayInfo
from ...readers.metadata import NAMES as METADATA_NAMES
from ...readers.npz import Member, NpzFile
from ...readers.zip_member import NpzError
from ...scenario.layout import DEFAULT_LAYOUT, Layout
from ...util.files import HashedFile, describe_os_error, open_hashed
from ...util.text import printable
from .measurement import Measurement, MeasurementStore
from .member_source import MemberSource, Progress, ProgressCounter
from .other_arrays import SMALL, is_absent, metadata_of, text_elements, with_statistics, with_text
from .patterns import measure_patterns
from .plausibility import warn_of_other_arrays
from .probe import measure_probe_of
from .roles import MEASURED, OBJECT, PATTERNS, PROBE, Roles, find_roles, rivals_of, what_is_there

# Shares of the time, for the progress bar only.
_HASHING_SHARE = 0.2  # if the file is hashed first, to look it up
_FIRST_PASS_SHARE = 0.95  # over the patterns


def measure(
    path: str,
    progress: Progress = lambda _: None,
    must_verify: Callable[[Measurement], bool] = lambda _: False,
    cache: MeasurementStore | None = None,
    *,
    layout: Layout = DEFAULT_LAYOUT,
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
    layout : Layout
        Which array plays which role, what the patterns hold and how they lie, and which arrays are measured.
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
    variant = layout.variant
    try:
        # Opened once, so that the bytes that are hashed are those that are measured, even if the file is replaced.
        with open_hashed(path) as file:
            before = os.fstat(file.fileno())
            size = result.size_bytes = before.st_size
            if cache is not None and cache.has_size(size):
                counter = ProgressCounter(size, lambda share: progress(_HASHING_SHARE * share))
                loaded = cache.load(file.sha256(counter.advance), size, variant)
                result, from_cache = loaded or result, loaded is not None
            npz = None if from_cache else _measure_file(file, result, progress, layout, overlap)
            if file.was_written_to(before, result.sha256):
                message = "somebody wrote to it while it was read; run again when it is complete"
                result.error("", message, "unmeasured")
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
        message = f"measuring it failed ({type(error).__name__}): a defect of pytest-d0parity, please report it"
        result.error("", message, "unmeasured")
        result.is_repeatable = False
    progress(1.0)
    return result, from_cache


def inspect(path: str, must_verify: Callable[[Measurement], bool], layout: Layout) -> Measurement:
    """Hash a dataset and list its arrays, without measuring them.

    Parameters
    ----------
    path : str
        The NPZ file.
    layout : Layout
        Which array plays which role.
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
            _list_arrays(npz, result, layout)
            if must_verify(result):
                _verify_checksums(npz, result, npz.members)
    except OSError as error:
        result.error("", f"it cannot be read: {describe_os_error(error)}")
    return result


def _measure_file(
    file: HashedFile, result: Measurement, progress: Progress, layout: Layout, overlap: bool
) -> NpzFile | None:
    try:
        npz = NpzFile(file)
    except NpzError as error:
        result.sha256 = file.sha256()
        result.error("", str(error))
        return None
    _measure_arrays(npz, file, result, progress, layout, overlap)
    result.sha256 = file.sha256()
    return npz


def _list_arrays(npz: NpzFile, result: Measurement, layout: Layout) -> Roles:
    result.arrays = {
        name: ArrayInfo(
            shape=member.shape, dtype=str(member.dtype), crc32=f"{member.crc32:08x}", size_bytes=member.size_bytes
        )
        for name, member in npz.members.items()
    }
    for name, message in npz.broken.items():
        result.error(name, message)
    names = [*npz.members, *npz.broken]
    roles = find_roles(names, layout.arrays)
    result.roles = dict(roles.names)
    for role in roles.absent:
        message = f"there is no array {printable(layout.arrays[role])} in the file, which holds {what_is_there(names)}"
        result.error(role, f"{message}; name another one: --array {role}=NAME", "unmeasured")
    for role in roles.names:
        if message := rivals_of(role, roles, layout.arrays, npz.members):
            result.warning("two_candidates", roles.names[role], message)
    return roles


def _read_texts(npz: NpzFile, result: Measurement) -> dict[str, list[str | None]]:
    """Return the elements of the arrays of text by name, and drop the arrays that hold nothing but None."""
    texts = {}
    for name, member in [*npz.members.items()]:
        with result.errors_as_problems(name):
            elements = text_elements(npz, member)
            if member.dtype.hasobject and is_absent(elements):
                del npz.members[name]
            elif elements is not None and not (member.dtype.hasobject and member.shape):
                texts[name] = elements
            elif elements is None and name in METADATA_NAMES and not member.dtype.hasobject:
                message = f"it is no text of up to {SMALL >> 20} MiB, and is not read as metadata"
                result.warning("metadata_unreadable", name, message)
            elif member.dtype.hasobject and find_roles([name], {}).role_of(name) not in MEASURED:
                message = "it is an object array, which is a pickle inside: only its header was looked at"
                result.warning("metadata_unreadable", name, message)
    return texts


def _measure_arrays(
    npz: NpzFile, file: HashedFile, result: Measurement, progress: Progress, layout: Layout, overlap: bool
) -> None:
    texts = _read_texts(npz, result)
    roles = _list_arrays(npz, result, layout)

    def open_stack(member: Member) -> MemberSource:
        file.follows = True  # from this array on, the largest, the file is hashed as it is read
        return MemberSource(npz, member, lambda share: progress(_FIRST_PASS_SHARE * min(share, 1.0)), overlap)

    with result.errors_as_problems(roles.names.get(PATTERNS, PATTERNS)):
        measure_patterns(npz, result, roles, layout, open_stack)
    with result.errors_as_problems(roles.names.get(PROBE, PROBE)):
        measure_probe_of(npz, result, roles)
    for name, elements in texts.items():
        _record_text(name, elements, result)
    for name, member in npz.members.items():
        is_small = member.size_bytes <= SMALL
        if roles.role_of(name) not in MEASURED and (layout.measure_all or is_small):
            with result.errors_as_problems(name):
                stream = None if is_small else MemberSource(npz, member, overlap=overlap)
                frames = None if roles.role_of(name) == OBJECT else result.frames
                info, errors = with_statistics(result.arrays[name], npz, member, stream, frames)
                result.arrays[name] = info
                result.standard_errors |= {
                    f"arrays.{roles.role_of(name) or name}.{key}": u for key, u in errors.items()
                }
                result.warn_if_not_finite(name, info)
    warn_of_other_arrays(npz.members, result)


def _record_text(name: str, elements: list[str | None], result: Measurement) -> None:
    info = result.arrays[name]
    metadata = metadata_of(name, info, elements)
    if metadata is not None:
        result.metadata |= metadata.values
        for remark in metadata.remarks:
            result.warning("metadata_unreadable", name, f"it {remark}")
    if metadata is None or not metadata.values:  # of metadata, the leaves are recorded
        result.arrays[name] = with_text(info, elements)


def _is_verified(name: str, result: Measurement) -> bool:
    """Whether an array was inflated when it was measured, or could not be."""
    info = result.arrays.get(name)
    of_stage = name in [result.roles.get(role) for role in MEASURED]
    is_measured = of_stage or (info is not None and info.count is not None)
    return is_measured or any(problem.array == name for problem in result.problems)


def _verify_checksums(npz: NpzFile, result: Measurement, names: Iterable[str]) -> None:
    """Inflate arrays to verify their length and CRC-32."""
    for name in names:
        with result.errors_as_problems(name):
            npz.verify(npz.members[name])
