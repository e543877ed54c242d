"""The arrays of a dataset that play no stage's role: positions, object, ground truth, texts, metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from ...evidence.dataset import ArrayInfo, Frames, Scalar
from ...readers.metadata import MAX_TEXT, NAMES, Metadata, parse_metadata
from ...readers.npz import Member, NpzFile
from ...readers.object_array import read_objects
from ...readers.zip_member import NpzError
from ...statistics.blocks import ArraySource, Source, is_measurable
from ...statistics.frames.standard_errors import array_errors
from ...statistics.stages import measure_array
from ...util.text import valid_utf8

SMALL = 16 << 20  # bytes of an array that is measured whether or not all are to be
_MAX_PICKLE = 4 * MAX_TEXT + 4096  # bytes of UTF-8, and what stands around them
_MAX_TEXT = 4096  # characters that are recorded


def text_elements(npz: NpzFile, member: Member) -> list[str | None] | None:
    """Return the elements of an array of text, or of objects that are texts or None; None if it is anything else.

    Raises
    ------
    NpzError
        If it cannot be read.
    """
    if member.dtype.hasobject:
        return read_objects(npz.read_pickle(member, _MAX_PICKLE)) if member.size_bytes <= _MAX_PICKLE else None
    if member.dtype.kind not in "SU" or member.size_bytes > SMALL:
        return None
    elements = npz.read(member).reshape(-1).tolist()
    return [each if isinstance(each, str) else each.decode("utf-8", "backslashreplace") for each in elements]


def is_absent(elements: list[str | None] | None) -> bool:
    """Whether an array of objects holds nothing but None, which some programs write for an array that is not there."""
    return bool(elements) and all(element is None for element in elements or ())


def with_text(info: ArrayInfo, elements: list[str | None]) -> ArrayInfo:
    """Return the record of an array with its text."""
    text = elements[0] or "" if info.shape == () else json.dumps(elements, ensure_ascii=False)
    text = valid_utf8(text)
    return replace(info, text=text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… ({len(text):,} characters)")


def metadata_of(name: str, info: ArrayInfo, elements: list[str | None]) -> Metadata | None:
    """Return the metadata in an array; None if it is none by its name, or holds several texts."""
    if name not in NAMES or info.shape != ():
        return None
    return parse_metadata(elements[0] or "")


def metadata_of_member(npz: NpzFile, member: Member) -> dict[str, Scalar]:
    """Return the leaves of the metadata in a member; nothing if it holds none, or cannot be read."""
    if member.name not in NAMES or member.shape != ():
        return {}
    try:
        elements = text_elements(npz, member)
    except NpzError:
        return {}
    return parse_metadata(elements[0] or "").values if elements else {}


def with_statistics(
    info: ArrayInfo, npz: NpzFile, member: Member, stream: Source | None, frames: Frames | None
) -> tuple[ArrayInfo, dict[str, float]]:
    """Return the record of an array with its statistics; without them where its values are no numbers.

    Parameters
    ----------
    stream : Source or None
        The array as a stream; None to read it at once.
    frames : Frames or None
        Those of the patterns, where they could be measured; None for the object, whose rows are none.

    Returns
    -------
    info : ArrayInfo
        The record.
    errors : dict of str to float
        Standard errors of its statistics, where it has a row for each frame and is no object.

    Raises
    ------
    NpzError
        If it cannot be read.
    """
    if not is_measurable(member.dtype):
        return info, {}
    if stream is not None:
        return replace(info, **asdict(measure_array(stream))), {}
    array = npz.read(member)
    info = replace(info, **asdict(measure_array(ArraySource(array))))
    return info, {} if frames is None else array_errors(array, frames.count)


def check_dtype(member: Member) -> None:
    """Raise `NpzError` if an array that is to be measured does not hold numbers."""
    if member.dtype.hasobject:
        raise NpzError("it is an object array, which is a pickle inside and is never loaded; save it as plain numbers")
    if not is_measurable(member.dtype):
        raise NpzError(f"its dtype is {member.dtype}; real or complex numbers are expected")
